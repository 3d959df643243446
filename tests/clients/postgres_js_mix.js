// What postgres.js puts on the wire: Parse, Bind and Execute in one burst, statements pipelined on one connection,
// portals fetched in parts, COPY streams. Where to connect comes from the PG* variables.
// Nothing that differs between two runs is printed.
'use strict';
const postgres = require('postgres');
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');

function connect(options = {}) {
  return postgres({
    max: 1, idle_timeout: 0, connection: { application_name: 'postgres_js_mix' },
    onnotice: (n) => show('notice', n.severity, n.code, n.message), ...options,
  });
}

async function main() {
  const sql = connect();
  for (const part of [schema, parameters, unnamed, several, pipelined, errors, transactions, cursors, copying, notifications, cancelled]) {
    console.log(`== ${part.name}`);
    await part(sql);
  }
  await sql`drop schema postgres_js_mix cascade`;
  await sql.end();
}

function show(...values) {
  console.log(values.map((v) => JSON.stringify(v)).join(' '));
}

async function run(query) {
  try {
    const rows = await query;
    for (const r of Array.isArray(rows[0]) ? rows : [rows]) show(r.command, r.count, r);
  } catch (e) {
    show('error', e.code, e.severity, e.message, e.position);
  }
}

async function schema(sql) {
  await run(sql`drop schema if exists postgres_js_mix cascade`);
  await run(sql`create schema postgres_js_mix`);
  await run(sql`create table postgres_js_mix.item (id int primary key, name text, data jsonb, tags text[])`);
}

async function parameters(sql) {
  for (let id = 1; id <= 5; id++) {
    await run(sql`insert into postgres_js_mix.item (id, name) values (${id}, ${'name ' + id})`);
  }
  await run(sql`select id, name from postgres_js_mix.item where id = ${2}`);
  await run(sql`select * from postgres_js_mix.item where id in ${sql([1, 3, 5])} order by id`);
  const rows = [{ id: 10, name: 'ten', data: sql.json({ a: 1 }), tags: ['x', 'y'] }, { id: 11, name: null, data: null, tags: [] }];
  await run(sql`insert into postgres_js_mix.item ${sql(rows)} returning *`);
  await run(sql`update postgres_js_mix.item set ${sql({ name: 'new' })} where id = 1`);
  await run(sql`select ${true}::bool as b, ${1.5}::float8 as f, ${'2026-11-22'}::date::text as d, ${Buffer.from([0, 255])}::bytea as r, ${null}::text as n`);
  await run(sql`select ${[1, 2, 3]}::int[] as list, ${'01938c5e-7b1a-7f3e-9d53-2c9a4b1f6e21'}::uuid as u`);
}

async function unnamed(sql) {
  await run(sql.unsafe('select $1::int + 1 as n', [1]));
  await run(sql.unsafe('select $1::int + 1 as n', [1], { prepare: true }));
  await run(sql.unsafe('select 1 as simple').simple());
  await run(sql.unsafe(''));
}

async function several(sql) {
  await run(sql.unsafe("select 1 as a /* n=3 */; select 'two' as b; select 3 as c where false"));
  await run(sql.unsafe("/* n=3 */ insert into postgres_js_mix.item (id) values (200); select 1 / 0; select 'never'"));
  await run(sql`select count(*) from postgres_js_mix.item where id = 200`);
}

async function pipelined(sql) {
  const all = await Promise.all([...Array(50).keys()].map((n) => sql`select ${n}::int * 2 as n`));
  show(all.map((r) => r[0].n));
  const mixed = await Promise.allSettled([
    sql`select 1 as n`, sql`select 1 / ${0}::int as n`, sql`select ${3}::int as n`, sql`select * from postgres_js_mix.nothing`, sql`select 5 as n`,
  ]);
  show(mixed.map((m) => m.reason?.code ?? m.value[0].n));
}

async function errors(sql) {
  await run(sql`selct ${1}`);
  await run(sql`select * from postgres_js_mix.nothing where id = ${1}`);
  await run(sql`insert into postgres_js_mix.item (id) values (${1})`);
  await run(sql`select ${'not a number'}::text::int`);
  await run(sql.unsafe('selct 1'));
  await run(sql`select length(${'z'.repeat(1000000)}) as length`);
  await run(sql`do $$ begin raise notice 'a notice'; raise warning 'a warning'; end $$`);
}

async function transactions(sql) {
  await sql.begin(async (tx) => {
    await run(tx`insert into postgres_js_mix.item (id) values (300)`);
    await tx.savepoint(async (sp) => { await sp`insert into postgres_js_mix.item (id) values (300)`; }).catch((e) => show('error', e.code));
    await run(tx`insert into postgres_js_mix.item (id) values (301)`);
  });
  await sql.begin('read only', (tx) => tx`insert into postgres_js_mix.item (id) values (302)`).catch((e) => show('error', e.code));
  await run(sql`select id from postgres_js_mix.item where id >= 300 order by id`);
}

async function cursors(sql) {
  await sql`select n from generate_series(1, 25) n`.cursor(10, (rows) => show(rows.map((r) => r.n)));
  await sql`select n from generate_series(1, 25) n`.cursor(10, () => sql.CLOSE);
  await sql`select n from generate_series(1, 3) n`.forEach((row) => show(row.n));
}

async function copying(sql) {
  const into = await sql`copy postgres_js_mix.item (id, name) from stdin`.writable();
  await pipeline(Readable.from(['400\tfour hundred\n', '401\t\\N\n']), into);
  const out = await sql`copy (select id, name from postgres_js_mix.item where id >= 400 order by id) to stdout`.readable();
  const chunks = [];
  for await (const chunk of out) chunks.push(chunk);
  show(Buffer.concat(chunks).toString());
}

async function notifications(sql) {
  let heard;
  const payload = new Promise((resolve) => { heard = resolve; });
  const { unlisten } = await sql.listen('postgres_js_mix', heard);
  await sql.notify('postgres_js_mix', 'to a listener');
  show(await payload);
  await unlisten();
}

// The cancel goes out when the server says that the statement sleeps, not when a while has passed.
async function cancelled(sql) {
  const watcher = connect();
  const sleeper = sql`select pg_sleep(60) /* postgres_js_mix */`;
  const ended = sleeper.catch((e) => show('error', e.code));
  for (;;) {
    const rows = await watcher`select 1 from pg_stat_activity where wait_event = 'PgSleep' and query like '%postgres_js_mix%' and pid <> pg_backend_pid()`;
    if (rows.length) break;
  }
  sleeper.cancel();
  await ended;
  await watcher.end();
  await run(sql`select 'the session lives' as text`);
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
