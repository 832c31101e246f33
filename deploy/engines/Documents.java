import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.ReentrantLock;
import org.h2.mvstore.MVStore;

/**
 * A MongoDB wire server over one H2 file, for tests. Its properties file names `file`, `port`
 * and, for TLS, `certificate` and `key` (PEM); for SCRAM-SHA-256 `user` and `password`.
 */
final class Documents {
    private Documents() {}

    /** What drivers of today ask for; the library itself stops at an older one. */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    /** Commits before it answers: what was acknowledged outlives kill -9. */
    private static final class Durable extends H2Backend {
        private static final Set<String> READS = Set.of(
            "find", "getMore", "count", "aggregate", "distinct", "hello", "ismaster", "isMaster",
            "ping", "buildInfo", "listCollections", "listDatabases", "listIndexes", "endSessions",
            "saslStart", "saslContinue", "killCursors", "serverStatus", "dbStats", "collStats"
        );
        // Fair, so that those who wait to write go first, and one commit is for all of them.
        private final ReentrantLock writing = new ReentrantLock(true);
        private final Login login;
        private long done;
        private long kept;

        Durable(MVStore store, Login login) {
            super(store);
            this.login = login;
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            Document asked = message.getDocument();
            String command = asked.keySet().iterator().next();
            if (login != null) {
                Document answer = login.answer(message.getChannel(), command, asked);
                if (answer != null) {
                    return answer;
                }
            }
            if (!READS.contains(command)) {
                return written(message);
            }
            Document answer = super.handleMessage("hello".equals(command) ? older(message) : message);
            if ("hello".equals(command)) {
                answer.append("isWritablePrimary", true);
            }
            if (login != null && asked.containsKey("saslSupportedMechs")) {
                answer.append("saslSupportedMechs", List.of("SCRAM-SHA-256"));
            }
            return answer;
        }

        /** The library knows the greeting by its older name alone. */
        private static MongoMessage older(MongoMessage message) {
            Document asked = new Document("isMaster", 1).append("$db", message.getDatabaseName());
            return new MongoMessage(message.getChannel(), message.getHeader(), asked);
        }

        private Document written(MongoMessage message) {
            Document answer;
            long mine;
            writing.lock();
            try {
                answer = super.handleMessage(message);
                mine = ++done;
            } finally {
                writing.unlock();
            }
            writing.lock();
            try {
                if (kept < mine) {
                    long now = done;
                    commit();
                    kept = now;
                }
            } finally {
                writing.unlock();
            }
            return answer;
        }

        @Override
        public void handleClose(io.netty.channel.Channel channel) {
            if (login != null) {
                login.forget(channel);
            }
            super.handleClose(channel);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties given = new Properties();
        try (Reader reader = Files.newBufferedReader(Path.of(arguments[0]))) {
            given.load(reader);
        }
        MVStore store = new MVStore.Builder().fileName(given.getProperty("file")).autoCommitDisabled().open();
        String user = given.getProperty("user");
        Login login = user == null ? null : new Login(user, given.getProperty("password"));
        Durable backend = new Durable(store, login);
        backend.version(new Version());
        MongoServer server = new MongoServer(backend);
        if (given.containsKey("certificate")) {
            server.enableSsl(key(given.getProperty("key")), null, certificate(given.getProperty("certificate")));
        }
        server.bind("127.0.0.1", Integer.parseInt(given.getProperty("port")));
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdownNow();
            ended.countDown();
        }));
        ended.await();
    }

    private static java.security.PrivateKey key(String file) throws Exception {
        String body = Files.readString(Path.of(file)).replaceAll("-----[A-Z ]+-----", "");
        byte[] raw = Base64.getMimeDecoder().decode(body);
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(raw));
    }

    private static X509Certificate[] certificate(String file) throws Exception {
        try (var stream = Files.newInputStream(Path.of(file))) {
            return CertificateFactory.getInstance("X.509").generateCertificates(stream)
                .toArray(X509Certificate[]::new);
        }
    }
}
