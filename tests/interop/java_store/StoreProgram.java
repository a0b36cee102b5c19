import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.TreeSet;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageExtBatch;
import org.apache.rocketmq.store.ConsumeQueueExt;
import org.apache.rocketmq.store.DefaultMessageStore;
import org.apache.rocketmq.store.PutMessageResult;
import org.apache.rocketmq.store.QueryMessageResult;
import org.apache.rocketmq.store.SelectMappedBufferResult;
import org.apache.rocketmq.store.config.MessageStoreConfig;

/**
 * Runs the real store of Apache RocketMQ for the interop tests.
 *
 * Arguments: write|read, root folder, port for slaves, commit log file bytes, queue file bytes, index slots, index entries,
 * normal|killed, and, for queues with extensions, the bytes of their files; the bit map kept of a message is then its property
 * BITS, in hex. "write" puts what stdin says, one message or batch a line, and prints each result; a line "keep" with the names of topics
 * destroys the queues of all others, and a line "expire" with a number deletes that many of the log's files as expired. "read" opens the folder, lets
 * recovery and dispatch run, prints everything that the store knows, and answers the keys that stdin asks for. Output is one JSON
 * object a line; every number in it is decimal, every byte string hex.
 */
public class StoreProgram {
    private static final PrintStream OUT = System.out;

    public static void main(String[] args) throws Exception {
        System.setOut(System.err);
        MessageStoreConfig config = new MessageStoreConfig();
        config.setStorePathRootDir(args[1]);
        config.setStorePathCommitLog(System.getProperty("commitLog", args[1] + "/commitlog"));
        config.setReadOnlyCommitLogStorePaths(System.getProperty("readOnly"));
        config.setHaListenPort(Integer.parseInt(args[2]));
        config.setMappedFileSizeCommitLog(Integer.parseInt(args[3]));
        config.setMappedFileSizeConsumeQueue(Integer.parseInt(args[4]));
        config.setMaxHashSlotNum(Integer.parseInt(args[5]));
        config.setMaxIndexNum(Integer.parseInt(args[6]));
        boolean extended = args.length > 8;
        if (extended) {
            config.setEnableConsumeQueueExt(true);
            config.setMappedFileSizeConsumeQueueExt(Integer.parseInt(args[8]));
        }
        DefaultMessageStore store = Adapter.open(config);
        if (extended) {
            store.getDispatcherList().addFirst(request -> {
                String bits = request.getPropertiesMap() == null ? null : request.getPropertiesMap().get("BITS");
                request.setBitMap(bits == null ? null : bytes(bits));
            });
        }
        boolean loaded = store.load();
        if (!loaded) {
            OUT.println("{\"kind\":\"refused\"}");
            OUT.flush();
            Runtime.getRuntime().halt(3);
        }
        store.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        if (args[0].equals("write")) {
            write(store, lines);
            settle(store);
        } else {
            settle(store);
            read(store, lines);
        }
        OUT.println("{\"kind\":\"done\"}");
        OUT.flush();
        if (args[7].equals("killed")) {
            Runtime.getRuntime().halt(9);
        }
        store.shutdown();
        Runtime.getRuntime().halt(0);
    }

    private static void settle(DefaultMessageStore store) throws Exception {
        while (store.dispatchBehindBytes() > 0) {
            Thread.sleep(10);
        }
        Thread.sleep(100);
    }

    private static void write(DefaultMessageStore store, BufferedReader lines) throws Exception {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] f = line.split("\t", -1);
            if (f[0].equals("keep") || f[0].equals("expire")) {
                settle(store);
                if (f[0].equals("keep")) store.cleanUnusedTopic(new HashSet<>(Arrays.asList(f).subList(1, f.length)));
                else expire(store, Integer.parseInt(f[1]));
                continue;
            }
            boolean batch = f[0].equals("batch");
            String properties = new String(bytes(f[13]), StandardCharsets.UTF_8);
            MessageExt message = batch ? new MessageExtBatch() : Adapter.message(properties);
            message.setTopic(f[1]);
            message.setQueueId(Integer.parseInt(f[2]));
            message.setFlag(Integer.parseInt(f[3]));
            message.setSysFlag(Integer.parseInt(f[4]));
            message.setBornTimestamp(Long.parseLong(f[5]));
            message.setBornHost(new InetSocketAddress(InetAddress.getByName(f[6]), Integer.parseInt(f[7])));
            message.setStoreHost(new InetSocketAddress(InetAddress.getByName(f[8]), Integer.parseInt(f[9])));
            message.setReconsumeTimes(Integer.parseInt(f[10]));
            message.setPreparedTransactionOffset(Long.parseLong(f[11]));
            message.setBody(bytes(f[12]));
            MessageAccessor.setProperties(message, MessageDecoder.string2messageProperties(properties));
            PutMessageResult result = batch ? store.putMessages((MessageExtBatch) message) : Adapter.put(store, message);
            OUT.printf("{\"kind\":\"put\",\"status\":\"%s\"", result.getPutMessageStatus());
            if (result.getAppendMessageResult() != null) {
                OUT.printf(",\"logOffset\":%d,\"queueOffset\":%d,\"storeTimestamp\":%d,\"size\":%d,\"msgId\":\"%s\"",
                    result.getAppendMessageResult().getWroteOffset(), result.getAppendMessageResult().getLogicsOffset(),
                    result.getAppendMessageResult().getStoreTimestamp(), result.getAppendMessageResult().getWroteBytes(),
                    result.getAppendMessageResult().getMsgId());
            }
            OUT.println("}");
        }
    }

    /** The first files are made old, for the store takes what is older than the time it is given; a flush may make one young again. */
    private static void expire(DefaultMessageStore store, int count) throws Exception {
        for (int deleted = 0; deleted < count; ) {
            File[] files = new File(store.getMessageStoreConfig().getStorePathCommitLog()).listFiles();
            Arrays.sort(files);
            for (int i = 0; i < count - deleted; i++) files[i].setLastModified(1000);
            deleted += store.getCommitLog().deleteExpiredFile(3600_000, 0, 1000, false);
        }
        Adapter.cleanQueues(store);
    }

    private static void read(DefaultMessageStore store, BufferedReader lines) throws Exception {
        OUT.printf("{\"kind\":\"log\",\"min\":%d,\"max\":%d}%n", store.getMinPhyOffset(), store.getMaxPhyOffset());
        for (Map.Entry<String, TreeSet<Integer>> entry : Adapter.queues(store).entrySet()) {
            for (int queueId : entry.getValue()) {
                queue(store, entry.getKey(), queueId);
            }
        }
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] f = line.split("\t", -1);
            QueryMessageResult found = store.queryMessage(f[0], f[1], 64, 0, Long.MAX_VALUE);
            StringBuilder offsets = new StringBuilder();
            for (ByteBuffer buffer : found.getMessageBufferList()) {
                offsets.append(offsets.length() > 0 ? "," : "").append(buffer.getLong(28));
            }
            found.release();
            OUT.printf("{\"kind\":\"key\",\"topic\":\"%s\",\"key\":\"%s\",\"offsets\":[%s]}%n", f[0], f[1], offsets);
        }
    }

    private static void queue(DefaultMessageStore store, String topic, int queueId) {
        long min = store.getMinOffsetInQueue(topic, queueId);
        long max = Adapter.maxOffset(store, topic, queueId);
        OUT.printf("{\"kind\":\"queue\",\"topic\":\"%s\",\"queueId\":%d,\"min\":%d,\"max\":%d}%n", topic, queueId, min, max);
        for (long index = min; index < max; index++) {
            long[] unit = Adapter.unit(store, topic, queueId, index);
            OUT.printf("{\"kind\":\"unit\",\"topic\":\"%s\",\"queueId\":%d,\"queueOffset\":%d,\"logOffset\":%d,\"size\":%d,\"tagsCode\":%d}%n",
                topic, queueId, index, unit[0], unit[1], unit[2]);
            ConsumeQueueExt.CqExtUnit ext = Adapter.ext(store, topic, queueId, unit[2]);
            if (ext != null) {
                OUT.printf("{\"kind\":\"ext\",\"topic\":\"%s\",\"queueId\":%d,\"queueOffset\":%d,\"tagsCode\":%d,\"storeTimestamp\":%d,"
                        + "\"size\":%d,\"bitMap\":\"%s\"}%n",
                    topic, queueId, index, ext.getTagsCode(), ext.getMsgStoreTime(), ext.getSize(), hex(ext.getFilterBitMap()));
            }
            SelectMappedBufferResult result = store.selectOneMessageByOffset(unit[0], (int) unit[1]);
            if (result == null) {
                OUT.printf("{\"kind\":\"missing\",\"logOffset\":%d}%n", unit[0]);
                continue;
            }
            byte[] record = new byte[(int) unit[1]];
            result.getByteBuffer().get(record);
            result.release();
            message(record);
        }
    }

    private static void message(byte[] record) {
        MessageExt message = MessageDecoder.decode(ByteBuffer.wrap(record), true, false);
        if (message == null) {
            OUT.printf("{\"kind\":\"undecodable\",\"record\":\"%s\"}%n", hex(record));
            return;
        }
        OUT.printf("{\"kind\":\"message\",\"logOffset\":%d,\"topic\":\"%s\",\"queueId\":%d,\"queueOffset\":%d,\"flag\":%d,\"sysFlag\":%d,"
                + "\"storeTimestamp\":%d,\"bornTimestamp\":%d,\"reconsumeTimes\":%d,\"preparedTransactionOffset\":%d,"
                + "\"msgId\":\"%s\",\"body\":\"%s\",\"keys\":\"%s\",\"tags\":\"%s\",\"record\":\"%s\"}%n",
            message.getCommitLogOffset(), message.getTopic(), message.getQueueId(), message.getQueueOffset(), message.getFlag(),
            message.getSysFlag(), message.getStoreTimestamp(), message.getBornTimestamp(), message.getReconsumeTimes(),
            message.getPreparedTransactionOffset(), message.getMsgId(), hex(message.getBody()),
            text(message, MessageConst.PROPERTY_KEYS), text(message, MessageConst.PROPERTY_TAGS), hex(record));
    }

    private static String text(MessageExt message, String name) {
        String value = message.getProperty(name);
        return value == null ? "" : value;
    }

    private static String hex(byte[] data) {
        StringBuilder text = new StringBuilder();
        for (byte octet : data == null ? new byte[0] : data) {
            text.append(Character.forDigit((octet >> 4) & 15, 16)).append(Character.forDigit(octet & 15, 16));
        }
        return text.toString();
    }

    private static byte[] bytes(String hex) {
        byte[] data = new byte[hex.length() / 2];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return data;
    }
}
