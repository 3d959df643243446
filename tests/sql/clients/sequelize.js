// Sequelize: sync, changes of a schema (what its migrations run), and queries. NODE_PATH=… node sequelize.js '{"engine": …}'
const { Sequelize, DataTypes: T, Op, Transaction, literal, fn, col } = require("sequelize");

const link = JSON.parse(process.argv[2]);
const postgres = link.engine === "postgres";
const db = new Sequelize(link.database, link.user, "", {
  dialect: link.engine,
  host: link.host,
  dialectOptions: postgres ? {} : { socketPath: link.host, multipleStatements: true },
  logging: false,
});

const Author = db.define("Author", {
  name: { type: T.STRING(80), allowNull: false, unique: true, comment: "it's; the name" },
  kind: { type: T.ENUM("poet", "critic's"), defaultValue: "poet" },
  about: T.JSON,
  born: T.DATEONLY,
}, { paranoid: true, indexes: [{ fields: ["kind", { name: "born", order: "DESC" }] }] });
const Book = db.define("book", {
  id: { type: T.UUID, defaultValue: T.UUIDV4, primaryKey: true },
  title: { type: T.TEXT, allowNull: false },
  price: T.DECIMAL(8, 2),
  cover: T.BLOB,
  select: T.INTEGER,
}, { version: true, underscored: true });
const Shelf = db.define("Shelf", { place: T.STRING });
Author.hasMany(Book, { onDelete: "CASCADE" });
Book.belongsTo(Author);
Book.belongsToMany(Shelf, { through: "BookShelves" });
Shelf.belongsToMany(Book, { through: "BookShelves" });

async function main() {
  await db.authenticate();
  await db.sync({ force: true });
  // It writes "TYPE … UNIQUE" for PostgreSQL, which the server refuses.
  await db.sync({ alter: true }).catch(() => {});
  await rows();
  await queries();
  await changes();
  await schema(db.getQueryInterface());
  await db.drop({});
  await db.close();
}

async function rows() {
  for (let n = 0; n < 4; n++) {
    const author = await Author.create({ name: `O'Neil \\ ${n} ? :x $1`, about: { a: [1, "ü"] }, born: "1970-01-02" });
    const book = await author.createBook({ title: `b;${n} -- no`, price: n, cover: Buffer.from("\0'\\\xff", "latin1") });
    await book.setShelves([await Shelf.create({ place: `/* ${n} */` })]);
  }
  await Author.bulkCreate([{ name: "x" }, { name: "y", kind: "critic's" }], { ignoreDuplicates: true });
  await Author.bulkCreate([{ name: "x", kind: "poet" }], { updateOnDuplicate: ["name"] });
  await Author.upsert({ id: 2, name: "upserted" });
  await Author.findOrCreate({ where: { name: "found" }, defaults: { kind: "poet" } });
}

async function queries() {
  await Author.findAll({ include: [{ model: Book, include: [Shelf], required: false }], order: [["name", "DESC"]], limit: 3, offset: 1 });
  await Author.findAll({ include: [{ model: Book, separate: true, limit: 2 }] });
  await Author.findAndCountAll({ where: { [Op.or]: [{ name: { [Op.like]: "%'_%" } }, { kind: ["poet", "critic's"] }], id: { [Op.between]: [1, 5] } } });
  await Author.findAll({ attributes: ["kind", [fn("COUNT", col("id")), "n"]], group: ["kind"], having: literal("count(*) > 0") });
  await Author.findAll({ where: { "about.a[0]": 1, [Op.not]: { name: null } }, paranoid: false });
  await Book.findAll({ where: { "$Author.name$": { [Op.ne]: "a" }, price: { [Op.gt]: literal("(SELECT avg(price) FROM books)") } }, include: Author });
  await Author.sum("id"), await Author.max("born"), await Author.count({ distinct: true, include: Book });
  await db.query("SELECT :a AS a, ':b' AS b /* c; */ FROM books WHERE title <> :a", { replacements: { a: "x;'y" } });
  await db.query(postgres ? "SELECT $1::text AS a" : "SELECT $1 AS a", { bind: ["a"] });
  await db.query("SELECT 1 AS one; SELECT count(*) FROM books;\n-- the end\n");
}

async function changes() {
  await db.transaction({ isolationLevel: Transaction.ISOLATION_LEVELS.SERIALIZABLE }, async (transaction) => {
    const author = await Author.findOne({ where: { id: 1 }, lock: transaction.LOCK.UPDATE, skipLocked: true, transaction });
    await author.update({ name: "changed" }, { transaction });
    await author.increment("id", { by: 0, transaction });
    await db.transaction({ transaction }, (inner) => Author.update({ kind: "poet" }, { where: { id: [1, 2] }, transaction: inner }));
  });
  await db.transaction(async (transaction) => {
    await Author.destroy({ where: { name: "x" }, transaction });
    throw new Error("undone");
  }).catch(() => {});
  await Author.destroy({ where: { id: 2 } });
  await Author.restore({ where: { id: 2 } });
  await Book.destroy({ where: { price: { [Op.lt]: 1 } }, limit: 5 });
  await Author.destroy({ where: { name: "y" }, force: true });
  await Shelf.truncate({ cascade: postgres }).catch(() => {});
}

async function schema(query) {
  await query.createTable("extra", { id: { type: T.INTEGER, autoIncrement: true, primaryKey: true }, word: T.STRING, at: { type: T.DATE, defaultValue: T.NOW } }, { comment: "made 'here'" });
  await query.addColumn("extra", "book", { type: T.UUID, references: { model: "books", key: "id" }, onUpdate: "CASCADE" });
  await query.changeColumn("extra", "word", { type: T.STRING(40), allowNull: false, defaultValue: "d" });
  await query.renameColumn("extra", "word", "words");
  await query.addIndex("extra", ["words"], { unique: true, name: "words_once" });
  if (postgres) {
    await query.addConstraint("extra", { fields: ["words"], type: "check", name: "not_empty", where: { words: { [Op.ne]: "" } } });
    await query.removeConstraint("extra", "not_empty");
  }
  await query.bulkInsert("extra", [{ words: "a", at: new Date() }, { words: "b", at: new Date() }]);
  await query.showAllTables(), await query.describeTable("extra"), await query.showIndex("extra");
  await query.getForeignKeyReferencesForTable("extra"), await query.showConstraint("extra");
  await query.removeIndex("extra", "words_once");
  await query.removeColumn("extra", "book");
  await query.renameTable("extra", "extras");
  await query.dropTable("extras");
  await query.createSchema("other_shop"), await query.showAllSchemas(), await query.dropSchema("other_shop");
  if (postgres) {
    await query.createFunction("twice", [{ type: "integer", name: "n" }], "integer", "plpgsql", "RETURN n * 2;");
    await query.dropFunction("twice", [{ type: "integer", name: "n" }]);
  }
}

main().catch((error) => { console.error(error); process.exit(1); });
