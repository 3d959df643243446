// mysql2: text and binary protocol, streaming, several results, a pipeline of queries.
const fs = require('fs');
const mysql = require('mysql2/promise');

const [port, user, password] = process.argv.slice(2);
const how = { host: '127.0.0.1', port: Number(port), user, password, multipleStatements: true, dateStrings: true, supportBigNumbers: true, bigNumberStrings: true };

async function told(work) {
  try {
    console.log(JSON.stringify(await work()));
  } catch (error) {
    console.log(error.code, error.errno, error.sqlState);
  }
}

const rows = (answer) => [answer[0]].flat().map((row) => (row && row.affectedRows !== undefined ? row.affectedRows : row));

async function main() {
  const db = await mysql.createConnection(how);
  await db.query(fs.readFileSync('tests/clients/mysql_setup.sql', 'utf8'));
  await db.changeUser({ database: 'mix' });
  await told(async () => rows(await db.query('select * from items order by id')));
  await told(async () => rows(await db.query('select ?, ?', [1, "ä'"])));
  await told(async () => rows(await db.execute('select ?, ?, ?', [1.5, "ä'", null])));
  for (const n of [1, 2, 3]) {
    await told(async () => rows(await db.execute('insert into kinds (i, s, b, dt) values (?, ?, ?, ?)', [n, `s${n}`, Buffer.from([0, n]), new Date(Date.UTC(2026, 0, n))])));
  }
  await told(async () => rows(await db.execute('select i, s, dt from kinds order by id')));
  await told(async () => rows(await db.execute('select * from nowhere')));
  await told(async () => rows(await db.execute('select * from items where id = ?', [999])));
  await told(async () => rows(await db.query('select 1; select 2; delete from items where id = 3')));
  await told(async () => rows(await db.query('select 1; selct')));
  await db.query('create procedure two() begin select 1; select 2; end');
  await told(async () => rows(await db.query('call two()')));
  await told(async () => rows(await db.execute('call two()')));
  await db.beginTransaction();
  await told(async () => rows(await db.query('delete from items')));
  await db.rollback();
  await told(async () => (await Promise.all(Array.from({ length: 30 }, (_, n) => db.query('select ? as n', [n])))).map((answer) => answer[0][0].n));
  const stream = db.connection.query('with recursive r as (select 1 as n union all select n + 1 from r where n < 700) select n, repeat("z", 300) as z from r').stream();
  let seen = 0;
  for await (const row of stream) seen += row.n > 0 ? 1 : 0;
  console.log('streamed', seen);
  await told(async () => (await db.ping(), 'pong'));
  db.unprepare('select ?, ?, ?');
  await db.end();
  await told(async () => (await mysql.createConnection({ ...how, password: 'wrong' })).end());
}

main();
