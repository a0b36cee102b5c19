package sample

import (
	"context"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const (
	twoHoursLevel = 18
	twoHours      = 2 * 3600
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A message for two hours later, and a test that does not wait.
func TestAReminderComesAfterTwoHours(t *testing.T) {
	rlog.SetLogLevel("error")
	broker, err := Start()
	must(t, err)
	defer broker.Stop()
	must(t, broker.Do("createTopic", Fields{"topic": "reminders", "queues": 1}, nil))

	sender, err := rocketmq.NewProducer(
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{broker.NameServer})),
		producer.WithGroupName("reminding"))
	must(t, err)
	must(t, sender.Start())
	defer sender.Shutdown()
	reminder := primitive.NewMessage("reminders", []byte("drink tea")).WithDelayTimeLevel(twoHoursLevel)
	_, err = sender.SendSync(context.Background(), reminder)
	must(t, err)

	received := make(chan string, 1)
	receiver, err := rocketmq.NewPushConsumer(
		consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{broker.NameServer})),
		consumer.WithGroupName("reminded"),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must(t, err)
	must(t, receiver.Subscribe("reminders", consumer.MessageSelector{},
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			received <- string(messages[0].Body)
			return consumer.ConsumeSuccess, nil
		}))
	must(t, receiver.Start())
	defer receiver.Shutdown()

	var waiting struct{ Delayed []struct{ Text string } }
	must(t, broker.Do("waiting", nil, &waiting))
	if len(waiting.Delayed) != 1 || waiting.Delayed[0].Text != "drink tea" {
		t.Fatalf("what waits is %v", waiting.Delayed)
	}
	must(t, broker.Do("advance", Fields{"seconds": twoHours}, nil))
	select {
	case body := <-received:
		if body != "drink tea" {
			t.Fatal(body)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it did not come")
	}
}
