import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntSupplier;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.impl.consumer.RebalanceImpl;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** The command `receive`: push (concurrent, orderly, broadcast, popped), pull and lite pull. */
final class Receiver {
    private static final int FLUSH_MS = 100;

    private final Flags flags;
    private final String topic, group, tag;
    private final int expect, size, workMs;
    private final int[] failTimes;
    private final long deadline;
    private final Set<String> distinct = ConcurrentHashMap.newKeySet();
    private int queuesShown;

    Receiver(Flags flags) {
        this.flags = flags;
        topic = flags.need("topic");
        group = flags.need("group");
        tag = flags.get("tag", "*");
        expect = flags.number("expect", Integer.MAX_VALUE);
        size = flags.number("size", 0);
        failTimes = Arrays.stream(flags.get("fail-times", "0").split(",")).mapToInt(Integer::parseInt).toArray();
        workMs = flags.number("work-ms", 0);
        deadline = System.nanoTime() + flags.number("timeout-s", 3600) * 1_000_000_000L;
    }

    int run() throws Exception {
        if (flags.has("litepull")) litePull();
        else if (flags.has("pull")) pull();
        else push();
        Events.print("done", "received", distinct.size());
        return flags.has("expect") && distinct.size() < expect ? 1 : 0;
    }

    private void push() throws Exception {
        DefaultMQPushConsumer consumer = ClientProgram.configured(new DefaultMQPushConsumer(group), flags);
        consumer.setConsumeFromWhere(from());
        if (flags.has("broadcast")) broadcast(consumer);
        consumer.setConsumeMessageBatchMaxSize(flags.has("fail-times") || workMs > 0 ? 1 : 32);
        consumer.setMaxReconsumeTimes(flags.number("max-reconsume", -1));
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.setConsumeThreadMin(4);
        consumer.setConsumeThreadMax(4);
        consumer.setAwaitTerminationMillisWhenShutdown(5000);
        if (flags.has("pop")) pop(consumer);
        consumer.subscribe(topic, selector());
        if (flags.has("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (all, context) -> {
                all.forEach(this::received);
                return fails(all.get(0)) ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
            });
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (all, context) -> {
                all.forEach(this::received);
                return fails(all.get(0)) ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        consumer.start();
        Events.print("ready");
        RebalanceImpl rebalance = consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl();
        Map<MessageQueue, ?> popped = flags.has("pop") ? poppedBy(rebalance) : Map.of();
        waitForAll(() -> (int) Stream.concat(rebalance.getProcessQueueTable().keySet().stream(), popped.keySet().stream())
            .filter(queue -> queue.getTopic().equals(topic)).count());
        consumer.shutdown();
    }

    /** Brokers share out the queues, and may let them be popped; only 5.x has it. */
    private void pop(DefaultMQPushConsumer consumer) throws Exception {
        DefaultMQPushConsumer.class.getMethod("setClientRebalance", boolean.class).invoke(consumer, false);
        DefaultMQPushConsumer.class.getMethod("setPopInvisibleTime", long.class).invoke(consumer, (long) flags.number("invisible-ms", 60000));
    }

    @SuppressWarnings("unchecked")
    private static Map<MessageQueue, ?> poppedBy(RebalanceImpl rebalance) throws Exception {
        return (Map<MessageQueue, ?>) RebalanceImpl.class.getMethod("getPopProcessQueueTable").invoke(rebalance);
    }

    /** The enum of message models lives in other packages in 4.9 and in 5.x. */
    private static void broadcast(DefaultMQPushConsumer consumer) throws Exception {
        for (Method method : DefaultMQPushConsumer.class.getMethods()) {
            if (!method.getName().equals("setMessageModel")) continue;
            for (Object model : method.getParameterTypes()[0].getEnumConstants()) {
                if (model.toString().equals("BROADCASTING")) method.invoke(consumer, model);
            }
        }
    }

    private void waitForAll(IntSupplier queues) throws InterruptedException {
        while (!over()) {
            Thread.sleep(FLUSH_MS);
            shown(queues.getAsInt());
            Events.flush();
        }
    }

    private void pull() throws Exception {
        DefaultMQPullConsumer consumer = ClientProgram.configured(new DefaultMQPullConsumer(group), flags);
        consumer.start();
        Events.print("ready");
        Map<MessageQueue, Long> next = new HashMap<>();
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(topic)) {
            long stored = consumer.fetchConsumeOffset(queue, true);
            next.put(queue, stored >= 0 ? stored : fromFirst() ? consumer.minOffset(queue) : consumer.maxOffset(queue));
        }
        shown(next.size());
        while (!over()) {
            for (MessageQueue queue : next.keySet()) {
                PullResult result = consumer.pull(queue, selector(), next.get(queue), 32);
                if (result.getMsgFoundList() != null) result.getMsgFoundList().forEach(this::received);
                next.put(queue, result.getNextBeginOffset());
                consumer.updateConsumeOffset(queue, result.getNextBeginOffset());
            }
            Events.flush();
        }
        consumer.getDefaultMQPullConsumerImpl().persistConsumerOffset();
        consumer.shutdown();
    }

    private void litePull() throws Exception {
        DefaultLitePullConsumer consumer = ClientProgram.configured(new DefaultLitePullConsumer(group), flags);
        consumer.setEnableMsgTrace(flags.has("trace"));
        consumer.setConsumeFromWhere(from());
        consumer.setAutoCommit(false);
        consumer.subscribe(topic, selector());
        consumer.start();
        Events.print("ready");
        while (!over()) {
            List<MessageExt> all = consumer.poll(500);
            all.forEach(this::received);
            if (!all.isEmpty()) consumer.commitSync();
            shown(consumer.assignment().size());
            Events.flush();
        }
        consumer.shutdown();
    }

    private MessageSelector selector() {
        return flags.has("sql") ? MessageSelector.bySql(flags.need("sql")) : MessageSelector.byTag(tag);
    }

    private boolean over() { return distinct.size() >= expect || Stop.wanted() || System.nanoTime() > deadline; }

    private boolean fromFirst() { return flags.get("from", "first").equals("first"); }

    private ConsumeFromWhere from() {
        return fromFirst() ? ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET : ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET;
    }

    private void shown(int queues) {
        if (queues != queuesShown) Events.append("assigned", "queues", queues);
        queuesShown = queues;
    }

    private void work(MessageExt message) {
        try {
            Thread.sleep(workMs);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Events.print("consumed", "queueId", message.getQueueId(), "queueOffset", message.getQueueOffset(), "at", System.currentTimeMillis());
    }

    /** One number holds for all messages; of several, the message's own number chooses one. */
    private boolean fails(MessageExt message) {
        int place = failTimes.length == 1 ? 0 : Integer.parseInt(Body.prefix(message.getBody()).split(":")[1]);
        return message.getReconsumeTimes() < failTimes[place % failTimes.length];
    }

    private void received(MessageExt message) {
        byte[] body = message.getBody();
        String prefix = Body.prefix(body);
        if (!Body.whole(body, prefix, size)) Events.append("corrupt", "size", body.length, "body_prefix", prefix, "msgId", message.getMsgId());
        Events.append("received", "body_prefix", prefix, "size", body.length, "queueId", message.getQueueId(),
            "queueOffset", message.getQueueOffset(), "msgId", message.getMsgId(), "tags", message.getTags(),
            "reconsume", message.getReconsumeTimes(), "topic", message.getTopic(), "born", message.getBornTimestamp(),
            "stored", message.getStoreTimestamp(), "at", System.currentTimeMillis(),
            "sysFlag", message.getSysFlag(), "storeSize", message.getStoreSize());
        if (flags.has("at-once") || workMs > 0) Events.flush();
        if (workMs > 0) work(message);
        if (!fails(message)) distinct.add(String.valueOf(prefix));
    }
}
