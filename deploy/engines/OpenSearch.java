import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.painless.PainlessModulePlugin;
import org.opensearch.transport.Netty4ModulePlugin;

/** One OpenSearch node out of jars alone: HOME/config/opensearch.yml says the rest. */
final class OpenSearch {
    private OpenSearch() {}

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]);
        Path config = home.resolve("config");
        Path file = config.resolve("opensearch.yml");
        Settings given = Settings.builder().loadFromSource(
            Files.readString(file), org.opensearch.common.xcontent.XContentType.YAML
        ).put("path.home", home.toString()).build();
        OpenSearchRunnerNode node = new OpenSearchRunnerNode(
            InternalSettingsPreparer.prepareEnvironment(given, Map.of(), config, () -> "callboard"),
            List.of(Netty4ModulePlugin.class, CommonAnalysisModulePlugin.class, PainlessModulePlugin.class)
        );
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception error) {
                error.printStackTrace();
            }
            ended.countDown();
        }));
        node.start();
        ended.await();
    }
}
