-- Run as: psql -X -q -a -v ON_ERROR_STOP=0 -h HOST -p PORT -U USER -d DB -f psql_mix.sql
-- with PGAPPNAME=psql_mix; stdout and stderr together are the transcript. `n=` in a text that holds several statements
-- says how many, for the join with the server's log; in one that does not parse, the bad one comes last.
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\pset null '(null)'
set client_min_messages = notice;
set lc_messages = 'C';

-- One statement a message
drop schema if exists psql_mix cascade;
create schema psql_mix;
set search_path = psql_mix;
create table item (id int primary key, name text not null, price numeric(10, 2), born timestamptz, raw bytea);
create index item_name on item (name);
insert into item values (1, 'one', 1.10, '2026-01-01 00:00:00+00', '\x00ff'), (2, 'two', null, null, null);
insert into item select n, 'generated ' || n, n / 3.0 from generate_series(3, 40) n;
select id, name, price, born at time zone 'UTC' as born, raw from item where id < 6 order by id;
select count(*), sum(price), min(name) from item;
update item set price = price * 2 where id between 10 and 20;
update item set price = 0 where false;
delete from item where id > 30 returning id;
values (1, 'a'), (2, 'b');
table item order by id limit 1;
with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select sum(n) from t;
merge into item i using (values (1, 'eins'), (100, 'hundert')) v(id, name) on i.id = v.id
    when matched then update set name = v.name when not matched then insert (id, name) values (v.id, v.name);
select name from item where id in (1, 100) order by id;
select $$dollar ; quoted$$, $tag$ it's $$ ; $tag$, E'esc\'aped ; ', 'dou''ble', U&'d\0061t\+000061', "name" from item where id = 1;
select /* a /* nested ; */ comment ; */ 1 as one -- and a line ; comment
;
explain (costs off) select * from item where id = 1;
comment on table item is 'things; of value';
create view cheap as select * from item where price < 5;
create function twice(int) returns int language sql as 'select $1 * 2';
create procedure fill(n int) language plpgsql as $$ begin insert into item values (n, 'filled'); commit; end $$;
select twice(21);
call fill(200);
do $$ begin raise notice 'from do: %', (select count(*) from psql_mix.item); raise warning 'a warning'; end $$;

-- Nothing to run
;
/* only a comment */ ;

-- Several statements in one message
select 1 as a /* n=3 */\; select 2 as b\; select 3 as c;
/* n=2 */ insert into item values (300, 'x; y')\; select name from item where id = 300;
/* n=5 */ begin\; insert into item values (301, 'kept')\; commit\; select 1 / 0\; select 'never';
/* n=3 */ insert into item values (302, 'undone')\; select 1 / 0\; select 'never';
select id from item where id between 300 and 302 order by id;
/* n=2 */ select 1\; selct 2;
/* n=2 */ \; select 'after empty'\;\; select 'and another'\;;

-- Transactions
begin;
insert into item values (400, 'in transaction');
savepoint one;
insert into item values (400, 'duplicate');
select 'in a failed block';
rollback to savepoint one;
release savepoint one;
commit;
begin isolation level serializable read only;
insert into item values (401, 'read only');
commit;
start transaction;
truncate item;
rollback and chain;
select count(*) from item;
rollback;
commit;
begin;
declare c scroll cursor for select id from item order by id;
fetch 3 from c;
fetch backward 1 from c;
move forward 2 in c;
close c;
end;

-- Deferred constraint: the INSERT completes, the commit fails
create table parent (id int primary key);
create table child (parent int references parent deferrable initially deferred);
/* n=2 */ insert into child values (1)\; select 'still here';
begin;
insert into child values (2);
commit;
select count(*) from child;

-- Prepared in SQL
prepare find(int) as select name from item where id = $1;
execute find(1);
execute find(2);
execute nobody(1);
deallocate find;
execute find(1);
deallocate all;

-- COPY
copy item (id, name, price) from stdin;
500	five hundred	5.00
501	tab\there	\N
502	new\nline	0
\.
copy item (id, name) from stdin with (format csv, header);
id,name
510,"quoted, with comma"
511,"new
line"
\.
copy (select id, name from item where id >= 500 order by id) to stdout;
copy item (id, name) to stdout with (format csv, header true, force_quote *);
copy item (id, name) from stdin;
520	first
not a number	second
521	never
\.
copy nothing to stdout;
select count(*) from item where id >= 500;

-- Errors
select * from nothing;
select nothing from item;
insert into item values (1, 'again');
insert into item (id) values (600);
select 'x'::int;
selct 1;
select 'unterminated;
';
select 1 +;
alter table nothing add column x int;
set nothing.at.all to;
grant select on nothing to nobody;

-- Session
show search_path;
set statement_timeout = '20ms';
select pg_sleep(30);
reset statement_timeout;
set local work_mem = '1MB';
set role nobody;
create role psql_mix_role;
set role psql_mix_role;
select current_user;
reset role;
drop role psql_mix_role;
set session characteristics as transaction isolation level repeatable read;
select set_config('psql_mix.key', 'value', false);
listen psql_mix_channel;
notify psql_mix_channel;
unlisten *;
lock table item in share mode;
analyze item;
vacuum item;
checkpoint;
set standard_conforming_strings = off;
set escape_string_warning = off;
select 'back\'slash; quoted' as s;
reset all;
discard all;

-- The fast path: psql's large objects are FunctionCall messages
\lo_import tests/clients/psql_mix.sql
\lo_export :LASTOID /dev/null
select length(lo_get(:LASTOID)) > 1000 as long;
\lo_unlink :LASTOID
\lo_unlink 1

-- Through psql's own ways
\set id 1
select name from psql_mix.item where id = :id \gset
\echo :name
select id, name from psql_mix.item where id < 4 order by id \gx
select format('select %s as n', n) from generate_series(1, 3) n \gexec
select 'a' as r, 'x' as c, 1 as v \crosstabview
\d psql_mix.item
\dt psql_mix.*
\copy (select id from psql_mix.item order by id limit 3) to stdout
set client_encoding = 'LATIN1';
select 'umlaut: ' || chr(228), length(chr(228));
set client_encoding = 'UTF8';
select 'non-ascii: äöü €', 'línea';
drop schema psql_mix cascade;
