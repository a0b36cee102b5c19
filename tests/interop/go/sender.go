package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	inFlightMax = 64
	retryPause  = 50 * time.Millisecond
	// A close right behind the last one-way message could lose it: the client's connection still holds answers unread.
	oneWayPause = time.Second
	lingerPause = 50 * time.Millisecond
	// Long, for a send that fails fails a test, and the machine may be busy; the client's own where it is repeated.
	sendTimeout, repeatedTimeout = 20 * time.Second, 3 * time.Second
)

type sender struct {
	flags         *flags
	topic, mode   string
	prefix        string
	size          int
	forever       bool
	quiet         bool
	acks          ackFile
	producer      rocketmq.Producer
	selector      *selector
	slots         chan struct{}
	sent, refused int64
}

// selector sends a message to the place that was asked for, if any, and else round and round.
type selector struct {
	round producer.QueueSelector
	mode  string
	wish  int
}

func (s *selector) Select(message *primitive.Message, queues []*primitive.MessageQueue, lastBroker string) *primitive.MessageQueue {
	switch s.mode {
	case "ordered":
		return queues[s.wish%len(queues)]
	case "queue":
		for _, queue := range queues {
			if queue.QueueId == s.wish {
				return queue
			}
		}
		return nil
	}
	return s.round.Select(message, queues, lastBroker)
}

func send(flags *flags, stop *stop) (int, error) {
	s, err := newSender(flags)
	if err != nil {
		return 1, err
	}
	if s.forever {
		stop.onInputClosed()
	}
	if err := s.producer.Start(); err != nil {
		return 1, err
	}
	show("ready", nil)
	s.sendAll(stop)
	for i := 0; i < inFlightMax; i++ {
		s.slots <- struct{}{}
	}
	for flags.has("linger") && !stop.isWanted() {
		time.Sleep(lingerPause)
	}
	if s.mode == "oneway" {
		time.Sleep(oneWayPause)
	}
	err = s.producer.Shutdown()
	show("done", fields{"sent": s.sent, "failed": s.refused})
	if s.refused > 0 && !s.forever {
		return 1, err
	}
	return 0, err
}

func newSender(flags *flags) (*sender, error) {
	s := &sender{flags: flags, mode: flags.get("mode", "sync"), prefix: flags.get("prefix", "P"),
		size: flags.number("size", 1024), forever: flags.has("forever"), quiet: flags.has("quiet"),
		slots: make(chan struct{}, inFlightMax)}
	s.selector = &selector{producer.NewRoundRobinQueueSelector(), s.mode, flags.number("queue", 0)}
	servers, err := nameServers(flags)
	if err != nil {
		return nil, err
	}
	group, err := flags.need("group")
	if err != nil {
		return nil, err
	}
	if s.topic, err = flags.need("topic"); err != nil {
		return nil, err
	}
	if s.acks, err = openAckFile(flags.get("ack-file", "")); err != nil {
		return nil, err
	}
	timeout := sendTimeout
	if s.forever {
		timeout = repeatedTimeout
	}
	s.producer, err = rocketmq.NewProducer(producer.WithNameServer(servers), producer.WithGroupName(group),
		producer.WithSendMsgTimeout(timeout),
		producer.WithInstanceName(instance(flags)), producer.WithRetry(2), producer.WithQueueSelector(s.selector),
		producer.WithNamespace(flags.get("namespace", "")))
	return s, err
}

func (s *sender) sendAll(stop *stop) {
	count, step := s.flags.number("count", 1), 1
	if s.forever {
		count = math.MaxInt32
	}
	if s.mode == "batch" {
		step = s.flags.number("batch", 10)
	}
	interval := time.Duration(s.flags.number("interval-ms", 0)) * time.Millisecond
	for seq := 0; seq < count && !stop.isWanted(); {
		end := seq + step
		if end > count {
			end = count
		}
		err := s.attempt(seq, end)
		if err != nil {
			s.failed(seq, end-seq, err)
		}
		if err == nil || !s.forever {
			seq = end
		} else {
			time.Sleep(retryPause)
		}
		time.Sleep(interval)
	}
}

func (s *sender) attempt(seq, end int) error {
	background := context.Background()
	switch s.mode {
	case "sync", "batch", "queue", "ordered":
		if s.mode == "ordered" {
			s.selector.wish = seq
		}
		var batch []*primitive.Message
		for i := seq; i < end; i++ {
			batch = append(batch, s.message(i))
		}
		result, err := s.producer.SendSync(background, batch...)
		if err != nil {
			return err
		}
		return s.accepted(seq, end-seq, result)
	case "oneway":
		if err := s.producer.SendOneWay(background, s.message(seq)); err != nil {
			return err
		}
		atomic.AddInt64(&s.sent, 1)
		if !s.quiet {
			show("oneway", fields{"seq": seq})
		}
		return nil
	case "async":
		return s.attemptAsync(seq)
	}
	return fmt.Errorf("unknown mode %s", s.mode)
}

// attemptAsync counts only the first answer: the client calls back again after it told of an error.
func (s *sender) attemptAsync(seq int) error {
	s.slots <- struct{}{}
	var once sync.Once
	err := s.producer.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
		once.Do(func() {
			if err == nil {
				err = s.accepted(seq, 1, result)
			}
			if err != nil {
				s.failed(seq, 1, err)
			}
			<-s.slots
		})
	}, s.message(seq))
	if err != nil {
		once.Do(func() { <-s.slots })
	}
	return err
}

func (s *sender) message(seq int) *primitive.Message {
	message := primitive.NewMessage(s.topic, makeBody(s.prefix, seq, s.size))
	if s.flags.has("tag") {
		message.WithTag(s.flags.get("tag", ""))
	}
	if s.flags.has("key-prefix") {
		message.WithKeys([]string{s.flags.get("key-prefix", "") + strconv.Itoa(seq)})
	}
	return message
}

// accepted writes down the messages of one answer. That of a batch has no message id.
func (s *sender) accepted(seq, number int, result *primitive.SendResult) error {
	if result.Status != primitive.SendOK {
		return fmt.Errorf("status %d", result.Status)
	}
	queue := result.MessageQueue.QueueId
	for i := 0; i < number; i++ {
		offset := result.QueueOffset + int64(i)
		if err := s.acks.add(seq+i, queue, offset); err != nil {
			return err
		}
		if !s.quiet {
			show("sent", fields{"seq": seq + i, "msgId": result.MsgID, "offsetMsgId": result.OffsetMsgID,
				"queueId": queue, "queueOffset": offset, "status": "SEND_OK"})
		}
	}
	atomic.AddInt64(&s.sent, int64(number))
	return nil
}

func (s *sender) failed(seq, number int, err error) {
	atomic.AddInt64(&s.refused, int64(number))
	show("failed", fields{"seq": seq, "message": err.Error()})
}
