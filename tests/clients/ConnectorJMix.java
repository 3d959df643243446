// MariaDB Connector/J: statements prepared by the server, batches sent in bulk, rows fetched in portions, OUT parameters.
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;

public class ConnectorJMix {
    interface Work {
        Object run() throws Exception;
    }

    static void told(Work work) throws Exception {
        try {
            System.out.println(work.run());
        } catch (SQLException error) {
            System.out.println(error.getErrorCode() + " " + error.getSQLState());
        }
    }

    static String rows(ResultSet result) throws SQLException {
        StringBuilder all = new StringBuilder();
        while (result.next()) {
            for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                all.append(result.getString(column)).append('|');
            }
            all.append('\n');
        }
        return all.toString();
    }

    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:mariadb://127.0.0.1:" + arguments[0] + "/?user=" + arguments[1] + "&password=" + arguments[2]
            + "&useServerPrepStmts=true&useBulkStmts=true&useBatchMultiSend=true&allowPublicKeyRetrieval=true";
        try (Connection db = DriverManager.getConnection(url); Statement statement = db.createStatement()) {
            for (String text : Files.readString(Path.of("tests/clients/mysql_setup.sql")).replaceAll("(?m)^--.*$", "").split(";")) {
                if (!text.isBlank()) {
                    statement.execute(text.strip());
                }
            }
            db.setCatalog("mix");
            told(() -> rows(statement.executeQuery("select * from items order by id")));
            told(() -> statement.executeUpdate("insert into items (name) values ('jdbc')", Statement.RETURN_GENERATED_KEYS));
            told(() -> rows(statement.getGeneratedKeys()));
            told(() -> rows(statement.executeQuery("select * from nowhere")));
            try (PreparedStatement insert = db.prepareStatement("insert into kinds (i, d, s, b, dt, da) values (?, ?, ?, ?, ?, ?)")) {
                for (int n = 0; n < 5; n++) {
                    insert.setInt(1, n);
                    insert.setBigDecimal(2, new java.math.BigDecimal("12.5"));
                    insert.setString(3, n % 2 == 0 ? "ä'" : null);
                    insert.setBytes(4, new byte[] {0, (byte) n});
                    insert.setTimestamp(5, Timestamp.valueOf("2026-11-22 09:14:03.123456"));
                    insert.setDate(6, Date.valueOf("2026-11-22"));
                    insert.addBatch();
                }
                told(() -> insert.executeBatch().length);
                insert.setInt(1, 100);
                told(() -> insert.executeUpdate());
            }
            try (PreparedStatement select = db.prepareStatement("select i, d, s, dt, da from kinds where i >= ? order by id")) {
                select.setInt(1, 1);
                told(() -> rows(select.executeQuery()));
                select.setString(1, "3");
                select.setFetchSize(1);
                told(() -> rows(select.executeQuery()));
            }
            told(() -> db.prepareStatement("selct ?").execute());
            statement.execute("create procedure outs(in n int, out m int) begin select n; set m = n + 1; end");
            try (CallableStatement call = db.prepareCall("{call outs(?, ?)}")) {
                call.setInt(1, 20);
                call.registerOutParameter(2, Types.INTEGER);
                told(() -> call.execute() + " " + call.getInt(2));
            }
            db.setAutoCommit(false);
            told(() -> statement.executeUpdate("delete from items"));
            db.rollback();
            Savepoint point = db.setSavepoint("here");
            told(() -> statement.executeUpdate("update items set price = 0"));
            db.rollback(point);
            db.commit();
        }
        told(() -> DriverManager.getConnection(url.replaceAll("password=[^&]*", "password=wrong")));
    }
}
