use super::*;

#[test]
fn postgres() {
    for (sql, expected) in [
        ("SELECT 1", Effect::None),
        ("", Effect::None),
        ("( SELECT 1 )", Effect::None),
        ("-- c\n/* d */ bEgin isolation level serializable", Effect::Begin),
        ("START TRANSACTION READ ONLY", Effect::Begin),
        ("START_REPLICATION SLOT a LOGICAL 0/0", Effect::None),
        ("COMMIT", Effect::Commit { chain: false }),
        ("COMMIT WORK AND CHAIN", Effect::Commit { chain: true }),
        ("END TRANSACTION AND NO CHAIN", Effect::Commit { chain: false }),
        ("COMMIT PREPARED 'x'", Effect::CommitsItself),
        ("ROLLBACK PREPARED 'x'", Effect::CommitsItself),
        ("ABORT AND CHAIN", Effect::Rollback { chain: true }),
        ("ROLLBACK TRANSACTION", Effect::Rollback { chain: false }),
        ("ROLLBACK WORK TO SAVEPOINT Foo", Effect::RollbackTo("foo".into())),
        ("ROLLBACK TO \"Foo\"", Effect::RollbackTo("Foo".into())),
        ("ROLLBACK TO savepoint", Effect::RollbackTo("savepoint".into())),
        ("SAVEPOINT a", Effect::Savepoint("a".into())),
        ("RELEASE SAVEPOINT a", Effect::Release("a".into())),
        ("RELEASE A", Effect::Release("a".into())),
        ("PREPARE TRANSACTION 'x'", Effect::PrepareTransaction),
        ("PREPARE p AS SELECT $1 ;", Effect::Prepare { name: "p".into(), body: 13..22 }),
        ("PREPARE \"P\" (int, numeric(1,2)) AS SELECT 1", Effect::Prepare { name: "P".into(), body: 35..43 }),
        ("PREPARE p", Effect::None),
        ("EXECUTE P(1, 'a')", Effect::Execute("p".into())),
        ("EXPLAIN ANALYZE VERBOSE EXECUTE P(1)", Effect::Execute("p".into())),
        ("EXPLAIN EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (ANALYZE, COSTS OFF) EXECUTE p", Effect::Execute("p".into())),
        ("EXPLAIN (ANALYZE off, FORMAT json, ANALYZE 'on') EXECUTE p", Effect::Execute("p".into())),
        ("EXPLAIN (ANALYZE 'off') EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (ANALYZE 00) EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (ANALYZE $$off$$) EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (ANALYZE E'off') EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (ANALYZE 1) EXECUTE p", Effect::Execute("p".into())),
        ("EXPLAIN (\"analyze\") EXECUTE p", Effect::Execute("p".into())),
        ("EXPLAIN (\"analyze\" off) EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (U&\"\\0061nalyze\") EXECUTE p", Effect::Execute("p".into())),
        // The server knows no option of these names.
        ("EXPLAIN (\"ANALYZE\") EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (\"analyse\") EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (VERBOSE) EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN (VERBOSE) CREATE TABLE t AS EXECUTE p", Effect::Explain("p".into())),
        ("EXPLAIN ANALYZE CREATE TABLE t AS EXECUTE p", Effect::Execute("p".into())),
        (
            "CREATE TEMP TABLE IF NOT EXISTS s.t (a, b) ON COMMIT DROP AS EXECUTE P(1)",
            Effect::Execute("p".into()),
        ),
        ("CREATE TABLE t AS SELECT 1 AS execute", Effect::None),
        ("CREATE TABLE t (a int GENERATED ALWAYS AS (1) STORED)", Effect::None),
        ("EXPLAIN ANALYZE SELECT 1", Effect::None),
        ("DEALLOCATE PREPARE p", Effect::Deallocate("p".into())),
        ("DEALLOCATE ALL", Effect::DeallocateAll),
        ("DEALLOCATE PREPARE ALL", Effect::DeallocateAll),
        ("DEALLOCATE \"all\"", Effect::Deallocate("all".into())),
        ("DECLARE P CURSOR FOR SELECT 1", Effect::Declare { name: "p".into(), hold: false }),
        (
            "declare \"P\" binary no scroll cursor with hold for table t",
            Effect::Declare { name: "P".into(), hold: true },
        ),
        ("DECLARE a CURSOR WITHOUT HOLD FOR SELECT 1", Effect::Declare { name: "a".into(), hold: false }),
        ("FETCH P", Effect::Fetch("p".into())),
        ("FETCH BACKWARD -5 FROM P;", Effect::Fetch("p".into())),
        ("move absolute 7 in \"P\"", Effect::Fetch("P".into())),
        ("FETCH FORWARD ALL FROM next", Effect::Fetch("next".into())),
        ("FETCH 1 FROM a b c d", Effect::None),
        ("FETCH 1", Effect::None),
        ("MERGE INTO t USING u ON a WHEN MATCHED THEN DELETE", Effect::None),
        ("CLOSE P", Effect::Close("p".into())),
        ("CLOSE \"all\"", Effect::Close("all".into())),
        ("CLOSE ALL", Effect::CloseAll),
        ("DISCARD ALL", Effect::DiscardAll),
        ("DISCARD PLANS", Effect::None),
    ] {
        assert_eq!(effect(sql, Dialect::POSTGRES), expected, "{sql}");
    }
}

#[test]
fn mysql() {
    for (sql, expected) in [
        ("PREPARE s FROM 'SELECT 1'", Effect::Prepare { name: "s".into(), body: 15..25 }),
        ("DROP PREPARE S", Effect::Deallocate("s".into())),
        ("DEALLOCATE PREPARE `s`", Effect::Deallocate("s".into())),
        ("EXECUTE IMMEDIATE 'x'", Effect::ExecuteImmediate { body: 18..21 }),
        ("execute immediate 'x' 'y' USING 1;", Effect::ExecuteImmediate { body: 18..25 }),
        ("EXECUTE IMMEDIATE @x", Effect::None),
        ("EXECUTE IMMEDIATE CONCAT('x')", Effect::ExecuteImmediate { body: 18..29 }),
        ("EXECUTE IMMEDIATE 0x53454c4543542031 USING @a", Effect::ExecuteImmediate { body: 18..36 }),
        ("EXECUTE IMMEDIATE CONCAT('x', @y)", Effect::None),
        ("EXECUTE S USING @a", Effect::Execute("s".into())),
        ("BEGIN WORK", Effect::Begin),
        ("BEGIN;", Effect::Begin),
        ("BEGIN SELECT 1; END", Effect::None),
        ("END", Effect::None),
        ("RELEASE SAVEPOINT `A`", Effect::Release("a".into())),
        ("ROLLBACK WORK TO a", Effect::RollbackTo("a".into())),
        ("COMMIT AND CHAIN RELEASE", Effect::Commit { chain: true }),
        ("START SLAVE", Effect::None),
        ("HANDLER d.t OPEN", Effect::Declare { name: "t".into(), hold: true }),
        ("HANDLER t OPEN AS h", Effect::Declare { name: "h".into(), hold: true }),
        ("HANDLER h READ NEXT", Effect::Fetch("h".into())),
        ("HANDLER h CLOSE", Effect::Close("h".into())),
        ("BEGIN NOT ATOMIC SELECT 1; END", Effect::None),
        ("/*!50000 COMMIT */", Effect::Commit { chain: false }),
    ] {
        assert_eq!(effect(sql, Dialect::MYSQL), expected, "{sql}");
    }
}

#[test]
fn what_is_prepared_may_be_of_several_literals() {
    for (body, expected) in [
        ("'SELECT ''a'''", Some("SELECT 'a'")),
        ("0x53454c4543542031", Some("SELECT 1")),
        ("CONCAT('SELECT ', \"1\")", Some("SELECT 1")),
        ("@x", None),
        ("CONCAT('SELECT ', @x)", None),
        ("REPLACE('SELECT 2', '2', '1')", None),
    ] {
        assert_eq!(prepared(body, Dialect::MYSQL).as_deref(), expected, "{body}");
    }
    assert_eq!(prepared("SELECT 'a'", Dialect::POSTGRES).as_deref(), Some("SELECT 'a'"));
}

#[test]
fn what_commits_itself() {
    fn lasting(sql: &str) -> Effect<'_> {
        effect(sql, Dialect::POSTGRES)
    }
    for sql in [
        "CREATE DATABASE a",
        "drop database if exists a with (force)",
        "CREATE TABLESPACE t LOCATION '/x'",
        "DROP TABLESPACE t",
        "CREATE INDEX CONCURRENTLY ON t (a)",
        "create /* c */ unique index concurrently if not exists i on t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX INDEX CONCURRENTLY i",
        "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
        "REINDEX SCHEMA s",
        "ALTER DATABASE a SET TABLESPACE t",
        "ALTER TABLE a DETACH PARTITION b CONCURRENTLY",
        "ALTER TABLE IF EXISTS s.a DETACH PARTITION b FINALIZE",
        "ALTER SYSTEM SET work_mem = '5MB'",
        "VACUUM",
        "VACUUM (ANALYZE) t",
    ] {
        assert_eq!(lasting(sql), Effect::CommitsItself, "{sql}");
    }
    for sql in [
        "ANALYZE",
        "ANALYSE t",
        "CLUSTER",
        "REINDEX TABLE t",
        "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
        "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
        "DROP SUBSCRIPTION s",
    ] {
        assert_eq!(lasting(sql), Effect::MayCommitItself, "{sql}");
    }
    for sql in [
        "CREATE INDEX concurrently_i ON t (a)",
        "CREATE INDEX ON t (concurrently)",
        "CREATE UNIQUE INDEX i ON t (a)",
        "DROP INDEX i",
        "ALTER DATABASE a SET work_mem = '5MB'",
        "ALTER TABLE a DETACH PARTITION b",
        "ALTER TABLE a SET TABLESPACE t",
        "CREATE TABLE database (a int)",
        "DROP TABLE tablespace",
        "COMMENT ON DATABASE a IS 'x'",
    ] {
        assert_eq!(lasting(sql), Effect::None, "{sql}");
    }
    assert_eq!(effect("ANALYZE TABLE t", Dialect::MYSQL), Effect::None);
}
