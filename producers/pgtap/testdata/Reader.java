import java.io.StringReader;
import java.io.StringWriter;
import java.sql.*;
import org.postgresql.PGConnection;

/** Reads and changes through JDBC in the ways that applications do, and prints what it sees. */
public class Reader {
    public static void main(String[] args) throws Exception {
        try (Connection c = DriverManager.getConnection(args[0])) {
            try (PreparedStatement s = c.prepareStatement("SELECT id, name FROM voters WHERE id = ?")) {
                for (int i = 1; i <= 8; i++) { // a named statement, in binary, from the fifth on
                    s.setLong(1, i);
                    print(s.executeQuery());
                }
            }
            c.setAutoCommit(false);
            try (Statement s = c.createStatement()) {
                s.setFetchSize(3); // a portal that is read in parts
                print(s.executeQuery("SELECT id FROM voters WHERE id BETWEEN 20 AND 30 ORDER BY id"));
                s.setFetchSize(2);
                ResultSet r = s.executeQuery("SELECT id FROM voters WHERE id BETWEEN 40 AND 50 ORDER BY id");
                r.next(); // and given up after its first part
                System.out.println(r.getLong(1));
                r.close();
            }
            c.commit();
            try (PreparedStatement s = c.prepareStatement("INSERT INTO voters (id, name) VALUES (?, ?)")) {
                for (int i = 3001; i <= 3010; i++) {
                    s.setLong(1, i);
                    s.setString(2, "invented");
                    s.addBatch();
                }
                for (int n : s.executeBatch()) System.out.print(n + " ");
                s.setLong(1, 3011);
                s.setString(2, "invented");
                System.out.println(s.executeUpdate());
            }
            c.commit();
            try (PreparedStatement s = c.prepareStatement("INSERT INTO voters (id) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                s.setLong(1, 3012);
                s.executeUpdate();
                print(s.getGeneratedKeys());
            }
            try (Statement s = c.createStatement()) {
                System.out.println(s.executeUpdate("DELETE FROM voters WHERE id = 3001"));
                s.execute("SELECT 1; SELECT id FROM voters WHERE id = 60; SELECT 2");
                do { print(s.getResultSet()); } while (s.getMoreResults());
                try {
                    s.executeQuery("SELECT 1 / (id - 62) FROM voters WHERE id BETWEEN 61 AND 63");
                } catch (SQLException e) {
                    System.out.println(e.getSQLState() + " " + e.getMessage());
                }
            }
            c.rollback();
            StringWriter out = new StringWriter();
            PGConnection pg = c.unwrap(PGConnection.class);
            System.out.println(pg.getCopyAPI().copyOut("COPY (SELECT id FROM voters WHERE id BETWEEN 70 AND 72) TO STDOUT", out) + " " + out);
            System.out.println(pg.getCopyAPI().copyIn("COPY voters (id) FROM STDIN", new StringReader("3020\n3021\n")));
            c.commit();
            print(c.getMetaData().getColumns(null, "public", "voters", "id"));
        }
    }

    static void print(ResultSet r) throws SQLException {
        int n = r.getMetaData().getColumnCount();
        while (r.next()) {
            for (int i = 1; i <= n; i++) System.out.print(r.getMetaData().getColumnLabel(i) + "=" + r.getString(i) + " ");
            System.out.println();
        }
    }
}
