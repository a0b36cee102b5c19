import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** The command `oversee`: what Java's admin client learns of a topic and a group, or of one message. */
final class Overseer {
    private final Flags flags;
    private final String topic;
    private final DefaultMQAdminExt admin;

    Overseer(Flags flags) throws Exception {
        this.flags = flags;
        topic = flags.need("topic");
        admin = ClientProgram.configured(new DefaultMQAdminExt(30_000), flags);
    }

    int run() throws Exception {
        admin.start();
        if (flags.has("id")) tracks(admin.viewMessage(topic, flags.need("id")));
        if (flags.has("group")) spans(flags.need("group"));
        admin.shutdown();
        Events.print("done");
        return 0;
    }

    private void tracks(MessageExt message) throws Exception {
        for (var track : admin.messageTrackDetail(message)) {
            Events.print("track", "group", track.getConsumerGroup(), "type", track.getTrackType(), "error", track.getExceptionDesc());
        }
    }

    private void spans(String group) throws Exception {
        for (var span : admin.queryConsumeTimeSpan(topic, group)) {
            Events.print("span", "queueId", span.getMessageQueue().getQueueId(), "min", span.getMinTimeStamp(),
                "max", span.getMaxTimeStamp(), "consumed", span.getConsumeTimeStamp(), "delay", span.getDelayTime());
        }
    }
}
