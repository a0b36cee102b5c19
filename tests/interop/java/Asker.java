import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.trace.TraceBean;
import org.apache.rocketmq.client.trace.TraceContext;
import org.apache.rocketmq.client.trace.TraceDataEncoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The commands that ask a broker something: createTopic, view (by offset id, or by unique id), query (by key), minmax, traces. */
final class Asker {
    private final Flags flags;
    private final String topic;
    private final DefaultMQProducer client;

    Asker(Flags flags) throws Exception {
        this.flags = flags;
        topic = flags.need("topic");
        client = ClientProgram.configured(new DefaultMQProducer(flags.get("group", "interop-asker")), flags);
    }

    int run() throws Exception {
        client.start();
        switch (flags.command) {
            case "createTopic": createTopic(); break;
            case "view": print(client.viewMessage(topic, flags.need("id"))); break;
            case "query": query(); break;
            case "traces": traces(); break;
            default: minMax();
        }
        client.shutdown();
        Events.print("done");
        return 0;
    }

    /** 4.9 has createTopic(key, topic, queues), 5.x wants a map of attributes behind it. */
    private void createTopic() throws Exception {
        String key = flags.get("key", "TBW102");
        int queues = flags.number("queues", 4);
        for (Method method : DefaultMQProducer.class.getMethods()) {
            Class<?>[] types = method.getParameterTypes();
            if (!method.getName().equals("createTopic")) continue;
            if (types.length == 3) { method.invoke(client, key, topic, queues); return; }
            if (types.length == 4 && types[3] != int.class) { method.invoke(client, key, topic, queues, new HashMap<String, String>()); return; }
        }
        throw new IllegalStateException("this client has no createTopic");
    }

    private void query() throws Exception {
        int max = flags.number("max", 64);
        client.queryMessage(topic, flags.need("key"), max, 0, System.currentTimeMillis() + 60_000).getMessageList().forEach(this::print);
    }

    /** What the trace topic tells of a message, decoded by Java. */
    private void traces() throws Exception {
        for (MessageExt carrier : client.queryMessage(topic, flags.need("id"), 64, 0, System.currentTimeMillis() + 60_000).getMessageList()) {
            for (TraceContext trace : TraceDataEncoder.decoderFromTraceDataString(new String(carrier.getBody(), StandardCharsets.UTF_8))) {
                TraceBean bean = trace.getTraceBeans().get(0);
                if (!bean.getMsgId().equals(flags.need("id"))) continue;
                Events.print("trace", "type", trace.getTraceType(), "group", trace.getGroupName(), "topic", bean.getTopic(),
                    "success", trace.isSuccess(), "requestId", trace.getRequestId(), "storeHost", bean.getStoreHost(),
                    "state", bean.getTransactionState(), "transactionId", bean.getTransactionId(), "checked", bean.isFromTransactionCheck());
            }
        }
    }

    private void minMax() throws Exception {
        for (MessageQueue queue : client.fetchPublishMessageQueues(topic)) {
            long at = Long.parseLong(flags.get("time", "0"));
            Events.print("queue", "queueId", queue.getQueueId(), "min", client.minOffset(queue), "max", client.maxOffset(queue),
                "search", client.searchOffset(queue, at));
        }
    }

    private void print(MessageExt message) {
        Events.print("message", "body_prefix", Body.prefix(message.getBody()), "size", message.getBody().length,
            "queueId", message.getQueueId(), "queueOffset", message.getQueueOffset(), "msgId", message.getMsgId(),
            "keys", message.getKeys(), "tags", message.getTags(), "topic", message.getTopic());
    }
}
