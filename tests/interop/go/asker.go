package main

import (
	"context"
	"fmt"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// ask does the commands createTopic and deleteTopic, which want `--broker H:P`, and topics, which lists their names.
func ask(flags *flags) (int, error) {
	client, err := newAdmin(flags)
	if err != nil {
		return 1, err
	}
	if err := answer(client, flags); err != nil {
		return 1, err
	}
	show("done", nil)
	return 0, client.Close()
}

func newAdmin(flags *flags) (admin.Admin, error) {
	servers, err := nameServers(flags)
	if err != nil {
		return nil, err
	}
	return admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(servers)))
}

func answer(client admin.Admin, flags *flags) error {
	background := context.Background()
	topic, broker, queues := flags.get("topic", ""), flags.get("broker", ""), flags.number("queues", 4)
	switch flags.command {
	case "createTopic":
		return client.CreateTopic(background, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
			admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues))
	case "deleteTopic":
		return client.DeleteTopic(background, admin.WithTopicDelete(topic), admin.WithBrokerAddrDelete(broker))
	}
	found, err := client.FetchAllTopicList(background)
	if err != nil {
		return fmt.Errorf("list of topics: %w", err)
	}
	for _, name := range found.TopicList {
		note("topic", fields{"topic": name})
	}
	return nil
}
