import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;

/** The command `send`. */
final class Sender {
    private static final int IN_FLIGHT_MAX = 64;

    private final Flags flags;
    private final String topic, mode, prefix;
    private final int first, count, size, interval;
    private final boolean forever, quiet;
    private final Events.AckFile acks;
    private final AtomicInteger sent = new AtomicInteger(), failed = new AtomicInteger();
    private final Semaphore slots = new Semaphore(IN_FLIGHT_MAX);
    private final DefaultMQProducer producer;
    private List<MessageQueue> queues;

    Sender(Flags flags) throws Exception {
        this.flags = flags;
        topic = flags.need("topic");
        mode = flags.get("mode", "sync");
        prefix = flags.get("prefix", "P");
        forever = flags.has("forever");
        quiet = flags.has("quiet");
        first = flags.number("first", 0);
        count = forever ? Integer.MAX_VALUE : flags.number("count", 1);
        size = flags.number("size", 1024);
        interval = flags.number("interval-ms", 0);
        acks = new Events.AckFile(flags.get("ack-file", null));
        producer = ClientProgram.configured(new DefaultMQProducer(flags.need("group")), flags);
        producer.setSendMsgTimeout(ClientProgram.requestTimeoutMs(flags));
        producer.setCompressMsgBodyOverHowmuch(flags.number("compress-over", 4096));
    }

    int run() throws Exception {
        if (forever) Stop.onInputClosed();
        producer.start();
        Events.print("ready");
        int step = mode.equals("batch") ? flags.number("batch", 10) : 1;
        for (int seq = first; seq < count && !Stop.wanted(); ) {
            int end = Math.min(count, seq + step);
            if (attempt(seq, end) || !forever) seq = end;
            else Thread.sleep(50);
            if (interval > 0) Thread.sleep(interval);
        }
        slots.acquire(IN_FLIGHT_MAX);
        while (flags.has("linger") && !Stop.wanted()) Thread.sleep(50);
        producer.shutdown();
        Events.print("done", "sent", sent.get(), "failed", failed.get());
        return failed.get() == 0 || forever ? 0 : 1;
    }

    private boolean attempt(int seq, int end) throws InterruptedException {
        try {
            send(seq, end);
            return true;
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            refused(seq, end - seq, e);
            return false;
        }
    }

    private void send(int seq, int end) throws Exception {
        switch (mode) {
            case "sync": accepted(seq, 1, producer.send(message(seq))); break;
            case "async": sendAsync(seq); break;
            case "oneway": producer.sendOneway(message(seq)); sent.incrementAndGet(); if (!quiet) Events.print("oneway", "seq", seq); break;
            case "batch": sendBatch(seq, end); break;
            case "ordered": accepted(seq, 1, producer.send(message(seq), (all, m, n) -> all.get((Integer) n % all.size()), seq)); break;
            case "queue": accepted(seq, 1, producer.send(message(seq), queue(flags.number("queue", 0)))); break;
            default: throw new IllegalArgumentException("unknown mode " + mode);
        }
    }

    private void sendAsync(int seq) throws Exception {
        slots.acquire();
        try {
            producer.send(message(seq), new SendCallback() {
                @Override public void onSuccess(SendResult result) { answered(() -> accepted(seq, 1, result)); }

                @Override public void onException(Throwable e) { answered(() -> refused(seq, 1, e)); }
            });
        } catch (Exception e) {
            slots.release();
            throw e;
        }
    }

    /** It is told before its slot is free: when all are, the program ends. */
    private void answered(Runnable tell) {
        try {
            tell.run();
        } finally {
            slots.release();
        }
    }

    private void sendBatch(int seq, int end) throws Exception {
        List<Message> batch = new ArrayList<>();
        for (int i = seq; i < end; i++) batch.add(message(i));
        accepted(seq, end - seq, producer.send(batch));
    }

    private MessageQueue queue(int id) throws Exception {
        if (queues == null) queues = producer.fetchPublishMessageQueues(topic);
        for (MessageQueue queue : queues) if (queue.getQueueId() == id) return queue;
        throw new IllegalArgumentException("no queue " + id + " in " + queues);
    }

    private Message message(int seq) {
        String key = flags.has("key-prefix") ? flags.need("key-prefix") + seq : "";
        Message message = new Message(topic, flags.get("tag", ""), key, Body.make(prefix, seq, size));
        if (flags.has("delay-level")) message.setDelayTimeLevel(flags.number("delay-level", 0));
        return message;
    }

    private void accepted(int seq, int number, SendResult result) {
        if (result.getSendStatus() != SendStatus.SEND_OK) {
            refused(seq, number, new IllegalStateException(result.getSendStatus().name()));
            return;
        }
        int queueId = result.getMessageQueue().getQueueId();
        String[] ids = result.getMsgId().split(","), offsetIds = ("" + result.getOffsetMsgId()).split(",");
        for (int i = 0; i < number; i++) {
            write(seq + i, queueId, result.getQueueOffset() + i, ids[i % ids.length], offsetIds[i % offsetIds.length]);
        }
        sent.addAndGet(number);
    }

    private void write(int seq, int queueId, long queueOffset, String id, String offsetId) {
        try {
            acks.add(seq, queueId, queueOffset);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        if (!quiet) {
            Events.print("sent", "topic", topic, "prefix", prefix, "seq", seq, "msgId", id, "offsetMsgId", offsetId, "queueId", queueId,
                "queueOffset", queueOffset, "status", "SEND_OK");
        }
    }

    private void refused(int seq, int number, Throwable e) {
        failed.addAndGet(number);
        Events.print("failed", "topic", topic, "prefix", prefix, "seq", seq, "message", e.toString());
    }
}
