import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.Document;
import io.netty.channel.Channel;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.crypto.Mac;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.SecretKeySpec;

/** SCRAM-SHA-256 (RFC 5802, RFC 7677) for one user: a connection says who it is, or gets nothing. */
final class Login {
    private static final int ROUNDS = 4096;
    private static final Set<String> OPEN = Set.of("hello", "ismaster", "isMaster", "ping", "buildInfo", "endSessions");
    private final String user;
    private final byte[] salt = random(16);
    private final byte[] salted;
    private final Map<Channel, String[]> begun = new ConcurrentHashMap<>();
    private final Set<Channel> known = ConcurrentHashMap.newKeySet();

    Login(String user, String password) throws Exception {
        this.user = user;
        PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, ROUNDS, 256);
        salted = SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256").generateSecret(spec).getEncoded();
    }

    /** The answer to a login's step or to a stranger; null where the command may be carried out. */
    Document answer(Channel channel, String command, Document asked) {
        try {
            return switch (command) {
                case "saslStart" -> started(channel, asked);
                case "saslContinue" -> continued(channel, asked);
                default -> known.contains(channel) || OPEN.contains(command)
                    ? null : refused(13, "Unauthorized", "command " + command + " requires authentication");
            };
        } catch (Exception error) {
            return refused(18, "AuthenticationFailed", "Authentication failed.");
        }
    }

    void forget(Channel channel) {
        begun.remove(channel);
        known.remove(channel);
    }

    private Document started(Channel channel, Document asked) {
        if (!"SCRAM-SHA-256".equals(asked.get("mechanism"))) {
            return refused(334, "MechanismUnavailable", "only SCRAM-SHA-256 is offered");
        }
        String bare = text(asked).substring("n,,".length());
        String nonce = field(bare, "r=") + Base64.getEncoder().encodeToString(random(18));
        String first = "r=" + nonce + ",s=" + Base64.getEncoder().encodeToString(salt) + ",i=" + ROUNDS;
        begun.put(channel, new String[] {bare, first, nonce});
        return said(first, false);
    }

    private Document continued(Channel channel, Document asked) throws Exception {
        String last = text(asked);
        if (last.isEmpty() && known.contains(channel)) {
            return said("", true);
        }
        String[] before = begun.remove(channel);
        String bare = last.substring(0, last.lastIndexOf(",p="));
        byte[] signed = (before[0] + "," + before[1] + "," + bare).getBytes(StandardCharsets.UTF_8);
        byte[] client = hmac(salted, "Client Key".getBytes(StandardCharsets.UTF_8));
        byte[] proof = hmac(MessageDigest.getInstance("SHA-256").digest(client), signed);
        for (int i = 0; i < proof.length; i++) {
            proof[i] ^= client[i];
        }
        boolean same = MessageDigest.isEqual(proof, Base64.getDecoder().decode(field(last, "p=")));
        if (!same || !user.equals(field(before[0], "n=")) || !before[2].equals(field(last, "r="))) {
            return refused(18, "AuthenticationFailed", "Authentication failed.");
        }
        known.add(channel);
        byte[] server = hmac(hmac(salted, "Server Key".getBytes(StandardCharsets.UTF_8)), signed);
        return said("v=" + Base64.getEncoder().encodeToString(server), true);
    }

    private static Document said(String payload, boolean done) {
        return new Document("conversationId", 1).append("done", done)
            .append("payload", new BinData(payload.getBytes(StandardCharsets.UTF_8))).append("ok", 1.0);
    }

    private static Document refused(int code, String name, String message) {
        return new Document("ok", 0.0).append("code", code).append("codeName", name).append("errmsg", message);
    }

    private static String text(Document asked) {
        return new String(((BinData) asked.get("payload")).getData(), StandardCharsets.UTF_8);
    }

    private static String field(String message, String name) {
        for (String part : message.split(",")) {
            if (part.startsWith(name)) {
                return part.substring(name.length());
            }
        }
        throw new IllegalArgumentException(name);
    }

    private static byte[] hmac(byte[] key, byte[] message) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(message);
    }

    private static byte[] random(int length) {
        byte[] made = new byte[length];
        new SecureRandom().nextBytes(made);
        return made;
    }
}
