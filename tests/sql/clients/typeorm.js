// TypeORM: its own synchronize, migrations there and back, and queries. NODE_PATH=… node typeorm.js '{"engine": …}'
require("reflect-metadata");
const { DataSource, EntitySchema, In, Like, Between, Not, IsNull, Raw, Table, TableColumn, TableForeignKey, TableIndex, TableCheck } = require("typeorm");

const link = JSON.parse(process.argv[2]);
const postgres = link.engine === "postgres";

const Person = new EntitySchema({
  name: "Person", tableName: "person",
  columns: {
    id: { primary: true, type: "int", generated: true },
    name: { type: "varchar", length: 80, comment: "it's; a name" },
    role: { type: "enum", enum: ["admin", "user's"], default: "admin" },
    data: { type: postgres ? "jsonb" : "json", nullable: true },
    made: { type: "timestamp", createDate: true },
    gone: { type: "timestamp", deleteDate: true, nullable: true },
    version: { type: "int", version: true },
  },
  relations: { posts: { type: "one-to-many", target: "Post", inverseSide: "author", cascade: true } },
  indices: [{ columns: ["name", "role"] }], checks: [{ expression: "name <> ''" }],
});
const Post = new EntitySchema({
  name: "Post", tableName: "Post",
  columns: { id: { primary: true, type: "uuid", generated: "uuid" }, title: { type: "text" }, views: { type: "bigint", default: 0 }, order: { type: "int", default: 1 } },
  relations: {
    author: { type: "many-to-one", target: "Person", inverseSide: "posts", onDelete: "CASCADE" },
    tags: { type: "many-to-many", target: "Tag", joinTable: true, cascade: true },
  },
});
const Tag = new EntitySchema({ name: "Tag", columns: { word: { primary: true, type: "varchar", length: 40 } } });
// A tree by closure table.
const Topic = new EntitySchema({
  name: "Topic", trees: [{ type: "closure-table" }],
  columns: { id: { primary: true, type: "int", generated: true }, name: { type: "varchar" } },
  relations: { parent: { type: "many-to-one", target: "Topic", treeParent: true }, children: { type: "one-to-many", target: "Topic", treeChildren: true, cascade: true } },
  tableName: "topic",
});

class Extra1700000000000 {
  async up(runner) {
    await runner.createTable(new Table({ name: "extra", columns: [
      { name: "id", type: "int", isPrimary: true, isGenerated: true, generationStrategy: "increment" },
      { name: "word", type: "varchar", length: "40", isNullable: true, default: "'d;'" }] }), true);
    await runner.addColumn("extra", new TableColumn({ name: "person", type: "int", isNullable: true }));
    await runner.createForeignKey("extra", new TableForeignKey({ columnNames: ["person"], referencedTableName: "person", referencedColumnNames: ["id"], onDelete: "SET NULL" }));
    await runner.createIndex("extra", new TableIndex({ name: "by_word", columnNames: ["word"], isUnique: true }));
    if (postgres) await runner.createCheckConstraint("extra", new TableCheck({ name: "short", expression: "length(word) < 30" }));
    await runner.changeColumn("extra", "word", new TableColumn({ name: "words", type: "varchar", length: "60", isNullable: false, comment: "-- 'x'" }));
    await runner.dropForeignKeys("extra", (await runner.getTable("extra")).foreignKeys);
    await runner.renameTable("extra", "extras");
    await runner.query("INSERT INTO extras (words) VALUES ('a;b'), ('c -- d')");
  }
  async down(runner) {
    await runner.renameTable("extras", "extra");
    for (const index of (await runner.getTable("extra")).indices) await runner.dropIndex("extra", index);
    await runner.dropColumn("extra", "person");
    await runner.clearTable("extra");
    await runner.dropTable("extra", true, true, true);
  }
}

const source = new DataSource({
  type: link.engine, ...(postgres ? { host: link.host } : { socketPath: link.host, multipleStatements: true }),
  username: link.user, database: link.database, entities: [Person, Post, Tag, Topic], migrations: [Extra1700000000000],
});

async function main() {
  await source.initialize();
  await source.synchronize(true);
  await source.synchronize();
  await rows();
  await queries();
  await changes();
  await source.showMigrations();
  await source.runMigrations();
  await source.undoLastMigration();
  await source.dropDatabase();
  await source.destroy();
}

async function rows() {
  const people = source.getRepository("Person");
  for (let n = 0; n < 4; n++) {
    await people.save({ name: `O'Neil \\ ${n} ? :x`, data: { a: 1 }, posts: [{ title: `; ${n}`, tags: [{ word: `t${n}` }, { word: "all" }] }] });
  }
  await people.insert([{ name: "x", role: "user's" }, { name: "y" }]);
  await people.upsert({ id: 1, name: "upserted" }, ["id"]);
  const topics = source.getTreeRepository("Topic");
  const root = await topics.save({ name: "root" });
  await topics.save({ name: "child", parent: root });
  await topics.findTrees(), await topics.findDescendants(root), await topics.countAncestors(root), await topics.findRoots();
}

async function queries() {
  const people = source.getRepository("Person"), posts = source.getRepository("Post");
  await people.find({ relations: { posts: { tags: true } }, where: { name: Like("%O'%"), posts: { title: Not(IsNull()) } }, order: { name: "DESC" }, take: 3, skip: 1 });
  await people.find({ where: [{ id: In([1, 2, 3]) }, { id: Between(4, 9) }], withDeleted: true, relationLoadStrategy: "query", relations: { posts: true } });
  await people.findAndCount({ where: { name: Raw((alias) => `lower(${alias}) > 'a'`) } });
  await posts.createQueryBuilder("p").leftJoinAndSelect("p.author", "a").innerJoin("p.tags", "t", "t.word <> :w", { w: "x;" })
    .where((qb) => "p.id IN " + qb.subQuery().select("q.id").from("Post", "q").where("q.views >= 0").getQuery()).orderBy("p.title").getMany();
  await people.createQueryBuilder("p").select("p.role", "role").addSelect("count(*)", "n").groupBy("p.role").having("count(*) > 0").getRawMany();
  await source.createQueryBuilder().select("c.n").addCommonTableExpression("SELECT id AS n FROM person", "c").from("c", "c").getRawMany();
  await people.exists({ where: { id: 1 } }), await people.sum("id"), await people.maximum("id");
  await source.query("SELECT 1 AS a; SELECT 2 AS b /* ; */");
}

async function changes() {
  await source.transaction("SERIALIZABLE", async (manager) => {
    const person = await manager.findOne("Person", { where: { id: 1 }, lock: { mode: "pessimistic_write" } });
    await manager.update("Person", person.id, { name: "changed" });
    await manager.transaction((inner) => inner.increment("Post", { title: "; 1" }, "views", 2));
  });
  await source.transaction(async (manager) => { await manager.delete("Tag", "none"); throw new Error("undone"); }).catch(() => {});
  const people = source.getRepository("Person");
  const found = await people.findOne({ where: { id: 2 }, relations: { posts: { tags: true } } });
  found.posts[0].tags = [];
  await people.save(found);
  await people.softDelete(3), await people.restore(3), await people.delete({ name: "y" }), await people.remove(found);
  await source.createQueryBuilder().update("Post").set({ views: () => "views + 1" }).where("title LIKE :t", { t: "%;%" }).execute();
  await source.getRepository("Tag").createQueryBuilder().insert().values({ word: "all" }).orIgnore().execute();
}

main().catch((error) => { console.error(error); process.exit(1); });
