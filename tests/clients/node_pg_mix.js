// What node-postgres (pg) puts on the wire: simple queries, unnamed and named statements, pooled clients.
// Where to connect comes from the PG* variables. Nothing that differs between two runs is printed.
'use strict';
const { Client, Pool } = require('pg');

const options = { application_name: 'node_pg_mix' };

async function main() {
  const client = new Client(options);
  client.on('notice', (n) => show('notice', n.severity, n.code, n.message));
  await client.connect();
  for (const part of [schema, simple, parameters, named, several, errors, transactions, binary, notifications]) {
    console.log(`== ${part.name}`);
    await part(client);
  }
  await client.query('drop schema node_pg_mix cascade');
  await client.end();
  console.log('== pooled');
  await pooled();
}

function show(...values) {
  console.log(values.map((v) => JSON.stringify(v)).join(' '));
}

async function run(client, ...query) {
  try {
    for (const r of [await client.query(...query)].flat()) {
      show(r.command, r.rowCount, r.fields.map((f) => [f.name, f.dataTypeID]), r.rows);
    }
  } catch (e) {
    show('error', e.code, e.severity, e.message, e.position);
  }
}

async function schema(client) {
  await run(client, 'drop schema if exists node_pg_mix cascade');
  await run(client, 'create schema node_pg_mix');
  await run(client, 'create table node_pg_mix.item (id int primary key, name text, data jsonb, born timestamptz)');
  const { rows } = await client.query('select pg_backend_pid() as pid');
  show("pid is the server's", rows[0].pid === client.processID);
}

async function simple(client) {
  await run(client, "insert into node_pg_mix.item select n, 'name ' || n from generate_series(1, 20) n");
  await run(client, 'select id, name from node_pg_mix.item where id < 4 order by id');
  await run(client, 'update node_pg_mix.item set name = null where id = 7');
  await run(client, 'delete from node_pg_mix.item where id > 18 returning id');
  await run(client, '');
  await run(client, '-- nothing');
}

async function parameters(client) {
  const values = [1, 1.5, true, 'text \u20ac', null, Buffer.from([0, 255]), new Date(Date.UTC(2026, 10, 22, 9, 14, 3)),
    { an: 'object' }, [1, 2, 3], ['a', null]];
  for (const value of values) await run(client, 'select $1::text as value', [value]);
  await run(client, 'select $1::int + $2::int as sum', [1, 2]);
  await run(client, 'select $1::bytea as raw, $2::jsonb as data, $3::int[] as list', [Buffer.from('raw'), { a: [1] }, [4, 5]]);
  await run(client, 'insert into node_pg_mix.item (id, name, data) values ($1, $2, $3) returning id', [100, 'param', { a: 1 }]);
  await run(client, { text: 'select id, name from node_pg_mix.item where id = $1', values: [1], rowMode: 'array' });
}

async function named(client) {
  for (const id of [1, 2, 100, 1000]) {
    await run(client, { name: 'by-id', text: 'select name from node_pg_mix.item where id = $1', values: [id] });
  }
  await run(client, { name: 'no-params', text: 'select count(*) from node_pg_mix.item' });
  await run(client, { name: 'broken', text: 'select * from node_pg_mix.nothing where id = $1', values: [1] });
  await run(client, { name: 'dividing', text: 'select 1 / $1::int as q', values: [0] });
  await run(client, { name: 'dividing', text: 'select 1 / $1::int as q', values: [1] });
  // Queued at once: node-postgres sends the next when the one before is done.
  const all = await Promise.all([3, 4, 5].map((n) => client.query({ name: 'twice', text: 'select $1::int * 2 as n', values: [n] })));
  show(all.map((r) => r.rows[0].n));
}

async function several(client) {
  await run(client, "select 1 as a /* n=3 */; select 'two' as b; select 3 as c where false");
  await run(client, "/* n=3 */ insert into node_pg_mix.item (id) values (200); select 1 / 0; select 'never'");
  await run(client, 'select id from node_pg_mix.item where id = 200');
}

async function errors(client) {
  await run(client, 'selct 1');
  await run(client, 'select * from node_pg_mix.nothing');
  await run(client, 'selct $1', [1]);
  await run(client, 'select $1::int', ['not a number']);
  await run(client, 'insert into node_pg_mix.item (id) values ($1)', [1]);
  await run(client, 'select 1; select $1', [1]);
  await run(client, 'select $1::int', [1, 2]);
  await run(client, "copy node_pg_mix.item from stdin");
  await run(client, 'select length($1) as length', ['z'.repeat(1000000)]);
}

async function transactions(client) {
  for (const text of ['begin', 'insert into node_pg_mix.item (id) values (300)', 'savepoint s', 'select 1 / 0', 'select 1',
    'rollback to savepoint s', 'commit', 'select id from node_pg_mix.item where id >= 300', 'begin isolation level serializable',
    'delete from node_pg_mix.item', 'rollback', 'select count(*) from node_pg_mix.item']) {
    await run(client, text);
  }
}

async function binary(client) {
  await run(client, { text: 'select $1::int4 as i, $2::text as t, $3::bool as b', values: [7, 'seven', true], binary: true });
}

async function notifications(client) {
  const heard = new Promise((resolve) => client.once('notification', resolve));
  await run(client, 'listen node_pg_mix');
  await run(client, "notify node_pg_mix, 'to myself'");
  const { channel, payload, processId } = await heard;
  show(channel, payload, processId === client.processID);
  await run(client, "do $$ begin raise notice 'a notice'; raise warning 'a warning'; end $$");
}

async function pooled() {
  const pool = new Pool({ ...options, max: 4 });
  const all = await Promise.all([...Array(40).keys()].map((n) => pool.query('select $1::int * 2 as n', [n])));
  show(all.map((r) => r.rows[0].n));
  await pool.end();
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
