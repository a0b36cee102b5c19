package main

import (
	"context"
	"math"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	flushEvery = 100 * time.Millisecond
	// The client notes that messages are consumed a moment after our callback, and its shutdown does not wait for that.
	settle = time.Second
	// The most messages of one call of the listener, and of one pull.
	batchMax  = 32
	pollMax   = 500 * time.Millisecond
	pullPause = 100 * time.Millisecond
)

type receiver struct {
	flags       *flags
	stop        *stop
	topic       string
	selector    consumer.MessageSelector
	expect      int
	work        time.Duration
	deadline    time.Time
	options     []consumer.Option
	mutex       sync.Mutex
	distinct    map[string]bool
	queuesShown int
	// Each call of the listener holds it, and the end takes it for good: no message begins that the client would not note.
	working sync.RWMutex
}

func receive(flags *flags, stop *stop) (int, error) {
	r, err := newReceiver(flags, stop)
	if err != nil {
		return 1, err
	}
	switch {
	case flags.has("litepull"):
		err = r.poll()
	case flags.has("pull"):
		err = r.pull()
	default:
		err = r.push()
	}
	if err != nil {
		return 1, err
	}
	show("done", fields{"received": r.count()})
	if flags.has("expect") && r.count() < r.expect {
		return 1, nil
	}
	return 0, nil
}

func newReceiver(flags *flags, stop *stop) (*receiver, error) {
	r := &receiver{flags: flags, stop: stop, expect: flags.number("expect", math.MaxInt32), distinct: map[string]bool{},
		selector: consumer.MessageSelector{Type: consumer.TAG, Expression: flags.get("tag", "*")},
		work:     time.Duration(flags.number("work-ms", 0)) * time.Millisecond,
		deadline: time.Now().Add(time.Duration(flags.number("timeout-s", 3600)) * time.Second)}
	servers, err := nameServers(flags)
	if err != nil {
		return nil, err
	}
	group, err := flags.need("group")
	if err != nil {
		return nil, err
	}
	if r.topic, err = flags.need("topic"); err != nil {
		return nil, err
	}
	from := consumer.ConsumeFromFirstOffset
	if flags.get("from", "first") == "last" {
		from = consumer.ConsumeFromLastOffset
	}
	r.options = []consumer.Option{consumer.WithNameServer(servers), consumer.WithGroupName(group),
		consumer.WithInstance(instance(flags)), consumer.WithConsumeFromWhere(from), consumer.WithStrategy(r.share),
		consumer.WithNamespace(flags.get("namespace", ""))}
	return r, nil
}

func (r *receiver) push() error {
	batch := batchMax
	if r.work > 0 {
		batch = 1
	}
	options := append(r.options, consumer.WithConsumeMessageBatchMaxSize(batch), consumer.WithPullBatchSize(batchMax),
		consumer.WithConsumerOrder(r.flags.has("orderly")))
	if r.flags.has("broadcast") {
		options = append(options, consumer.WithConsumerModel(consumer.BroadCasting))
	}
	client, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return err
	}
	err = client.Subscribe(r.topic, r.selector, func(_ context.Context, all ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		r.working.RLock()
		defer r.working.RUnlock()
		r.received(all)
		return consumer.ConsumeSuccess, nil
	})
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	show("ready", nil)
	r.wait()
	return client.Shutdown()
}

func (r *receiver) wait() {
	for !r.over() {
		time.Sleep(flushEvery)
		flush()
	}
	r.working.Lock()
	time.Sleep(settle)
}

// pull asks each queue on its own, always from the first offset: the broker keeps a question without an answer waiting.
func (r *receiver) pull() error {
	client, err := r.startPull()
	if err != nil {
		return err
	}
	queues, err := r.queues()
	if err != nil {
		return err
	}
	note("assigned", fields{"queues": len(queues)})
	for _, queue := range queues {
		go r.pullQueue(client, *queue)
	}
	r.wait()
	if err := client.PersistOffset(context.Background(), r.topic); err != nil {
		return err
	}
	return client.Shutdown()
}

// queues come from the admin client: the pull consumer tells them only in later versions.
func (r *receiver) queues() ([]*primitive.MessageQueue, error) {
	client, err := newAdmin(r.flags)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.FetchPublishMessageQueues(context.Background(), r.topic)
}

func (r *receiver) pullQueue(client rocketmq.PullConsumer, queue primitive.MessageQueue) {
	next, err := client.CurrentOffset(&queue)
	if err != nil || next < 0 {
		next = 0
	}
	for !r.over() {
		result, err := client.PullFrom(context.Background(), &queue, next, batchMax)
		if err != nil {
			time.Sleep(pullPause)
			continue
		}
		r.received(result.GetMessageExts())
		next = result.NextBeginOffset
		client.UpdateOffset(&queue, next)
	}
}

// poll is what other families call lite pull: the client shares the queues and fetches ahead.
func (r *receiver) poll() error {
	client, err := r.startPull()
	if err != nil {
		return err
	}
	for !r.over() {
		request, err := client.Poll(context.Background(), pollMax)
		if err == nil {
			r.received(request.GetMsgList())
			client.ACK(context.Background(), request, consumer.ConsumeSuccess)
		} else if !consumer.IsNoNewMsgError(err) {
			return err
		}
		flush()
	}
	return client.Shutdown()
}

func (r *receiver) startPull() (rocketmq.PullConsumer, error) {
	client, err := rocketmq.NewPullConsumer(append(r.options, consumer.WithPullBatchSize(batchMax))...)
	if err != nil {
		return nil, err
	}
	if err := client.Subscribe(r.topic, r.selector); err != nil {
		return nil, err
	}
	if err := client.Start(); err != nil {
		return nil, err
	}
	show("ready", nil)
	return client, nil
}

// share is the client's own way of sharing the queues; it tells how many are ours. A broadcast consumer never asks it.
func (r *receiver) share(group, own string, all []*primitive.MessageQueue, members []string) []*primitive.MessageQueue {
	mine := consumer.AllocateByAveragely(group, own, all, members)
	if len(all) > 0 && all[0].Topic == r.topic {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		if len(mine) != r.queuesShown {
			show("assigned", fields{"queues": len(mine)})
		}
		r.queuesShown = len(mine)
	}
	return mine
}

func (r *receiver) over() bool {
	return r.count() >= r.expect || r.stop.isWanted() || time.Now().After(r.deadline)
}

func (r *receiver) count() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.distinct)
}

func (r *receiver) received(all []*primitive.MessageExt) {
	for _, message := range all {
		prefix := bodyPrefix(message.Body)
		if !isWhole(message.Body, prefix, r.flags.number("size", 0)) {
			note("corrupt", fields{"size": len(message.Body), "body_prefix": prefix, "msgId": message.MsgId})
		}
		note("received", fields{"body_prefix": prefix, "size": len(message.Body), "queueId": message.Queue.QueueId,
			"queueOffset": message.QueueOffset, "msgId": message.MsgId, "tags": message.GetTags(),
			"reconsume": message.ReconsumeTimes, "at": time.Now().UnixMilli(), "topic": message.Topic,
			"sysFlag": message.SysFlag, "storeSize": message.StoreSize})
		if r.flags.has("at-once") || r.work > 0 {
			flush()
		}
		if r.work > 0 {
			time.Sleep(r.work)
			show("consumed", fields{"queueId": message.Queue.QueueId, "queueOffset": message.QueueOffset,
				"at": time.Now().UnixMilli()})
		}
		r.mutex.Lock()
		r.distinct[prefix] = true
		r.mutex.Unlock()
	}
}
