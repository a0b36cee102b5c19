package samples;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** A RocketMQ broker for tests: `python -m pymq.testing` as a child process, asked by lines of JSON. */
public final class RocketMQ implements AutoCloseable {
    private final Process child;
    private final BufferedReader output;
    private final Writer input;
    private final String nameServer;

    /** Starts one with the interpreter PYMQ_PYTHON, by default python3, in which pymq-broker[testing] is installed. */
    public RocketMQ() throws IOException {
        String python = System.getenv().getOrDefault("PYMQ_PYTHON", "python3");
        child = new ProcessBuilder(python, "-m", "pymq.testing").redirectError(ProcessBuilder.Redirect.INHERIT).start();
        output = new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8));
        input = new OutputStreamWriter(child.getOutputStream(), StandardCharsets.UTF_8);
        nameServer = read().getString("nameServer");
    }

    /** Where clients connect. */
    public String nameServer() {
        return nameServer;
    }

    /** Does a command, such as `run("createTopic", Map.of("topic", "orders"))`; its result. */
    public synchronized JSONObject run(String command, Map<String, ?> fields) throws IOException {
        JSONObject line = new JSONObject(true);
        line.put("do", command);
        line.putAll(fields);
        input.write(line.toJSONString() + "\n");
        input.flush();
        return read().getJSONObject("result");
    }

    private JSONObject read() throws IOException {
        String line = output.readLine();
        if (line == null) {
            throw new IOException("the broker has ended");
        }
        JSONObject said = JSON.parseObject(line);
        if (said.containsKey("error")) {
            throw new IOException(said.getString("error"));
        }
        return said;
    }

    /** Ends it. */
    @Override
    public void close() throws IOException {
        input.close();
        try {
            child.waitFor();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
