-- Asks a real server how it sends and prints values; its answer is values.tsv beside this file:
--   psql -XqAt -F "$(printf '\t')" -f values.sql > values.tsv     (PostgreSQL 15.18, UTF8, C locale)
-- One row a value: type, oid, what the type's send function gives in hex, the printed form as a JSON string,
-- and the value as JSON where the server has a say in that (to_json), else the printed form again.
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, MDY';
SET IntervalStyle = 'postgres';
SET bytea_output = 'hex';

CREATE FUNCTION pg_temp.shown(type regtype, literal text)
RETURNS TABLE (name text, oid bigint, sent text, printed text, json text) LANGUAGE plpgsql AS $$
DECLARE
  send text := (SELECT t.typsend::text FROM pg_type t WHERE t.oid = type);
  base regtype := (SELECT coalesce(nullif(t.typelem, 0), t.oid) FROM pg_type t
                   WHERE t.oid = type AND (t.typsubscript = 'array_subscript_handler'::regproc OR t.typelem = 0));
  plain bool := base IN ('bool'::regtype, 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'json', 'jsonb');
  form text := CASE WHEN plain THEN 'v' WHEN type = 'oid'::regtype THEN 'v::bigint' WHEN type = 'oid[]'::regtype THEN 'v::bigint[]'
                    WHEN base <> type THEN 'v::text::text[]' ELSE 'format(''%s'', v)' END;
BEGIN
  RETURN QUERY EXECUTE format(
    'SELECT t.typname::text, t.oid::bigint, encode(%s(v), ''hex''), to_json(format(''%%s'', v))::text,
            translate(to_json(%s)::text, E''\n'', '' '')
     FROM (SELECT %L::%I AS v) AS s, pg_type t WHERE t.oid = %s',
    send, form, literal, (SELECT t.typname FROM pg_type t WHERE t.oid = type), type::oid);
END $$;

SELECT s.* FROM (VALUES
  ('bool'::regtype, ARRAY['true', 'false']),
  ('int2', ARRAY['0', '1', '-1', '32767', '-32768']),
  ('int4', ARRAY['0', '42', '-7', '2147483647', '-2147483648']),
  ('int8', ARRAY['0', '9007199254740993', '9223372036854775807', '-9223372036854775808']),
  ('oid', ARRAY['0', '1', '4294967295']),
  ('float4', ARRAY['0', '-0', '1', '1.5', '0.1', '3.4028235e38', '1e-45', '-1.17549435e-38', 'NaN', 'Infinity', '-Infinity']),
  ('float8', ARRAY['0', '-0', '1', '0.1', '123456789.123456789', '1.7976931348623157e308', '5e-324', '1e20', '1e-7',
                   'NaN', 'Infinity', '-Infinity']),
  ('numeric', ARRAY['0', '0.0', '0.00', '1', '-1', '10', '10000', '9999', '99999999', '100000000', '1.0', '1.50', '-0.5',
                    '0.0001', '0.00001', '0.000000001', '12345.6789', '123456789012345678901234567890.123456789',
                    '-99999999999999999999.99999999', '10000.0001', '100000000000.00', '1e20', '1e-20', '0.10', '0.01000',
                    '1e60', 'NaN', 'Infinity', '-Infinity', '123.000000000000000000', '0.00000000000000000012340']),
  ('text', ARRAY['', 'plain', 'don''t', 'say "x"', E'back\\slash', E'tab\tnew\nline\rend', E'\x01\x1f\x7f', 'žluťoučký',
                 '日本語', '🐘', U&'\0085\009F', U&'a\202Eb\2066c\200Fd', 'NULL', '{a,b}', repeat('x', 100)]),
  ('varchar', ARRAY['', 'x', 'ünï']),
  ('bpchar', ARRAY['', 'ab', 'ab   ']),
  ('name', ARRAY['', 'pg_class', 'Ž']),
  ('"char"', ARRAY['', 'x', '"']),
  ('xml', ARRAY['<a b="c">d</a>', '<ž/>']),
  ('bytea', ARRAY['', '\x00', '\xdeadbeef', '\x5c78', 'plain']),
  ('uuid', ARRAY['00000000-0000-0000-0000-000000000000', '01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21',
                 'ffffffff-ffff-ffff-ffff-ffffffffffff']),
  ('date', ARRAY['2000-01-01', '1999-12-31', '2024-02-29', '1900-03-01', '1970-01-01', '0001-01-01', '0001-12-31 BC',
                 '0044-03-15 BC', '4714-11-24 BC', '9999-12-31', '10000-01-01', '5874897-12-31', 'infinity', '-infinity']),
  ('time', ARRAY['00:00:00', '24:00:00', '23:59:59.999999', '04:05:06.7', '04:05:06.000001', '12:30:00']),
  ('timetz', ARRAY['00:00:00+00', '12:00:00+02', '12:00:00-08', '23:59:59.999999+05:30', '04:05:06-03:30', '01:02:03+15:59:59',
                   '24:00:00-15:59', '04:05:06.7+00:00:30']),
  ('timestamp', ARRAY['2000-01-01 00:00:00', '1999-12-31 23:59:59.999999', '2024-02-29 12:34:56.78', '0001-01-01 00:00:00',
                      '0001-12-31 23:59:59.5 BC', '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999', '10000-01-01 00:00:00',
                      'infinity', '-infinity']),
  ('timestamptz', ARRAY['2000-01-01 00:00:00+00', '1999-12-31 23:59:59.999999+00', '2024-02-29 12:34:56.78+02',
                        '0044-03-15 12:00:00.25+00 BC', '4714-11-24 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00',
                        'infinity', '-infinity']),
  ('interval', ARRAY['0', '1 day', '-1 day', '2 days', '1 year', '-1 year', '1 year 2 mons 3 days 04:05:06', '14 mons', '-14 mons',
                     '1 mon -1 day', '-1 mon 1 day', '-1 mon +1 day 02:03:04', '-1 day -00:00:01', '1 day -00:00:01',
                     '00:00:00.000001', '-00:00:00.000001', '1000000:00:00', '-1 year 04:05:06.7', '1 year -2 days +3:00',
                     '-178000000 years', '-12 mons 30 days 23:59:59.999999']),
  ('json', ARRAY['null', '1', '"x"', '{"a": [1, 2.50, {"b": null}], "c": "d\"e\\"}', '[]', '{}', ' [ 1 , "a  b" ] ', E'{"k":\n"ž"}']),
  ('jsonb', ARRAY['null', '1', '"x"', '{"a": [1, 2.50, {"b": null}], "c": "d\"e\\"}', '[]', '{}', '12345678901234567890']),
  ('inet', ARRAY['0.0.0.0', '192.168.1.1', '192.168.1.1/24', '255.255.255.255/0', '::', '::1', '::1/64', '2001:db8::8a2e:370:7334',
                 '::ffff:1.2.3.4', '::1.2.3.4', '1:0:0:2:0:0:0:3', 'fe80::/10', '1:2:3:4:5:6:7:8', '1:0:3:4:5:6:7:8', '::2:0']),
  ('cidr', ARRAY['0.0.0.0/0', '10.0.0.0/8', '192.168.1.1/32', '2001:db8::/32', '::1/128', '::ffff:1.2.3.0/120']),
  ('bool[]', ARRAY['{}', '{t,f,NULL}']),
  ('int2[]', ARRAY['{1,-2,NULL}']),
  ('int4[]', ARRAY['{}', '{1}', '{1,NULL,3}', '{{1,2},{3,4}}', '{{{1},{2}},{{3},{4}}}', '[2:3]={5,6}', '[0:1][-1:0]={{1,2},{3,4}}',
                   '{{{{{{7}}}}}}']),
  ('int8[]', ARRAY['{9223372036854775807,NULL}']),
  ('float4[]', ARRAY['{1.5,NaN,-Infinity,NULL}']),
  ('float8[]', ARRAY['{1.5,NaN,-Infinity,NULL,1e-300}']),
  ('numeric[]', ARRAY['{1.50,NaN,NULL,123456789012345678901234567890}']),
  ('text[]', ARRAY['{}', '{a}', '{a,"b c",NULL}', '{"NULL",null,""}', '{"say \"x\"","back\\slash","a,b","{}"}', '{{a,b},{"c d",NULL}}',
                   '{" padded ","tab	in"}', '{ž,日本語,🐘}']),
  ('varchar[]', ARRAY['{x,"y z"}']),
  ('name[]', ARRAY['{x,"y z"}']),
  ('bytea[]', ARRAY['{"\\x00ff",NULL,"\\x"}']),
  ('uuid[]', ARRAY['{01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21,NULL}']),
  ('date[]', ARRAY['{2024-02-29,infinity,"0044-03-15 BC"}']),
  ('time[]', ARRAY['{04:05:06,24:00:00}']),
  ('timetz[]', ARRAY['{04:05:06+02}']),
  ('timestamp[]', ARRAY['{"2024-02-29 12:34:56.78",infinity}']),
  ('timestamptz[]', ARRAY['{"2024-02-29 12:34:56.78+00",NULL}']),
  ('interval[]', ARRAY['{"1 day","-1 mon +1 day"}']),
  ('json[]', ARRAY[E'{"{\\"a\\": [1, 2]}",NULL,"\\"x\\""}']),
  ('jsonb[]', ARRAY[E'{"{\\"a\\": [1, 2]}",NULL,"null"}']),
  ('inet[]', ARRAY['{10.0.0.1,::1/64}']),
  ('cidr[]', ARRAY['{10.0.0.0/8}']),
  ('oid[]', ARRAY['{1,4294967295}'])
) AS kinds (type, literals), unnest(literals) WITH ORDINALITY AS l (literal, n), pg_temp.shown(type, literal) AS s;
