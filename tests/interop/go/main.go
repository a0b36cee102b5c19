// The Go client program: a foreign client with the command language that all families share.
package main

import (
	"fmt"
	"os"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func main() {
	rlog.SetLogLevel("error")
	stop := newStop()
	code, err := run(os.Args[1:], stop)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		show("error", fields{"message": err.Error()})
		code = 1
	}
	flush()
	os.Exit(code)
}

func run(words []string, stop *stop) (int, error) {
	flags, err := parse(words)
	if err != nil {
		return 1, err
	}
	switch flags.command {
	case "send":
		return send(flags, stop)
	case "receive":
		return receive(flags, stop)
	case "createTopic", "deleteTopic", "topics":
		return ask(flags)
	}
	return 1, fmt.Errorf("unknown command %s", flags.command)
}

// nameServers is what every client needs.
func nameServers(flags *flags) (primitive.NamesrvAddr, error) {
	address, err := flags.need("namesrv")
	if err != nil {
		return nil, err
	}
	return primitive.NewNamesrvAddr(address)
}

// instance is a name of its own for each process, for two with one name would be one client to the broker.
func instance(flags *flags) string {
	return flags.get("instance", "interop") + fmt.Sprintf("-%d", os.Getpid())
}
