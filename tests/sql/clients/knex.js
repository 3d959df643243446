// Knex: migrations there and back, and queries. NODE_PATH=… node knex.js '{"engine": …}'
const link = JSON.parse(process.argv[2]);
const postgres = link.engine === "postgres";
const knex = require("knex")({
  client: postgres ? "pg" : "mysql2",
  connection: { user: link.user, database: link.database, ...(postgres ? { host: link.host } : { socketPath: link.host, multipleStatements: true }) },
});

// The migrations, kept here instead of in files.
const migrations = {
  first: {
    async up(knex) {
      await knex.schema.createTable("account", (table) => {
        table.increments();
        table.string("name", 80).notNullable().unique().comment("it's; a name");
        table.enu("kind", ["free", "paid"]).defaultTo("free").index();
        table.json("data");
        table.timestamps(true, true);
        table.check("?? <> ''", ["name"], "named");
      });
      await knex.schema.createTable("payment", (table) => {
        table.bigIncrements();
        table.integer("account_id").unsigned().references("id").inTable("account").onDelete("CASCADE");
        table.decimal("sum", 10, 2);
        table.binary("order");
        table.index(["account_id", "sum"], "by_sum");
        table.comment("what was paid; all");
      });
      await knex.schema.createView("rich", (view) => { view.columns(["id"]); view.as(knex("payment").select("id").where("sum", ">", 2)); });
    },
    async down(knex) {
      await knex.schema.dropView("rich").dropTable("payment").dropTableIfExists("account");
    },
  },
  second: {
    async up(knex) {
      await knex.schema.alterTable("payment", (table) => {
        table.index(["sum"], "by_sum_alone");
        table.dropIndex([], "by_sum_alone");
        table.renameColumn("sum", "amount");
        table.text("note").defaultTo("-- none; /* */");
        
      });
      await knex.schema.alterTable("account", (table) => { table.string("name", 100).notNullable().alter(); table.dropColumn("data"); });
      await knex.schema.alterTable("payment", (table) => table.unique(["account_id", "amount"], { indexName: "once" }));
      await knex.schema.renameTable("payment", "payments");
      await knex.schema.createTableLike("account_copy", "account");
      await knex.schema.raw("CREATE INDEX raw_one ON payments (note(9))".replace("(9)", postgres ? "" : "(9)"));
      await knex.schema.hasTable("account"), await knex.schema.hasColumn("payments", "note");
    },
    async down(knex) {
      await knex.schema.dropTable("account_copy").renameTable("payments", "payment");
      await knex.schema.alterTable("payment", (table) => table.dropColumn("note"));
    },
  },
};
const source = { getMigrations: async () => Object.keys(migrations), getMigrationName: (name) => name, getMigration: async (name) => migrations[name] };

async function main() {
  await knex.migrate.latest({ migrationSource: source });
  await rows();
  await queries();
  await changes();
  await knex.migrate.list({ migrationSource: source }), await knex.migrate.currentVersion({ migrationSource: source });
  await knex.migrate.rollback({ migrationSource: source }, true);
  await knex.schema.dropTable("knex_migrations").dropTable("knex_migrations_lock");
  await knex.destroy();
}

async function rows() {
  await knex("account").insert([{ name: "O'Neil \\ ?" }, { name: "b;c", kind: "paid" }, { name: "-- d" }]);
  await knex("account").insert({ name: "b;c" }).onConflict("name").ignore();
  await knex("account").insert({ name: "b;c", kind: "free" }).onConflict("name").merge(["kind"]);
  await knex("payments").insert({ account_id: 1, amount: 5, order: Buffer.from("\0'\\\xff", "latin1"), note: "n" }, postgres ? ["id"] : undefined);
  await knex.batchInsert("payments", [1, 2, 3].map((n) => ({ account_id: n, amount: n + 5, note: "n" })), 2);
}

async function queries() {
  await knex("account as a").leftJoin("payments as p", "a.id", "p.account_id").select("a.*", knex.raw("coalesce(??, ?)", ["p.amount", 0])).where("a.name", "like", "%'%").orderBy("a.id", "desc").limit(3).offset(1);
  await knex.with("big", knex("payments").where("amount", ">", 5)).select("*").from("big").whereIn("account_id", knex("account").select("id"));
  await knex.withRecursive("t", knex.raw("select 1 as n union all select n + 1 from t where n < ?", [4])).select("*").from("t");
  await knex("account").whereExists(knex("payments").whereRaw("payments.account_id = account.id")).orWhereNotBetween("id", [1, 2]).count("* as n").first();
  await knex.select("kind").count("id").from("account").groupBy("kind").havingRaw("count(*) > ?", [0]);
  await knex("account").select("name").union([knex("payments").select("note"), knex("account").select("kind")]);
  await knex("account as a").select("a.id", knex.raw("row_number() over (partition by a.kind order by a.id) as place")).crossJoin("payments as p2").select("p2.id as other");
  await knex.from(knex("payments").select("id").as("sub")).select("sub.id");
  if (postgres) await knex("rich").select(); // MariaDB does not follow the column's new name
  await knex("account").columnInfo(), await knex("account").pluck("name"), await knex("payments").sum("amount").avg("amount");
  await knex.raw("SELECT 1; SELECT ';' AS a, 2 -- ; c\n; SELECT 3").catch(() => {});
}

async function changes() {
  await knex.transaction(async (trx) => {
    await trx("account").forUpdate().skipLocked().where("id", 1);
    await trx("account").where({ id: 1 }).update({ name: knex.raw("upper(name)") });
    await trx.transaction((inner) => inner("payments").where("amount", "<", 0).del());
  }, { isolationLevel: "serializable" });
  await knex.transaction(async (trx) => { await trx("payments").increment("amount", 1); throw new Error("undone"); }).catch(() => {});
  await knex("payments").whereNull("note").del(), await knex("payments").truncate();
}

main().catch((error) => { console.error(error); process.exit(1); });
