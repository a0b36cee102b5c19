package main

import (
	"fmt"
	"strconv"
	"strings"
)

// flags is the command line: one command word, then `--name value` pairs and `--switch` words.
type flags struct {
	command string
	values  map[string]string
}

func parse(words []string) (*flags, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("a command is needed: send, receive, createTopic, deleteTopic, topics")
	}
	result := &flags{words[0], map[string]string{}}
	for i := 1; i < len(words); i++ {
		if !strings.HasPrefix(words[i], "--") {
			return nil, fmt.Errorf("not a flag: %s", words[i])
		}
		name := words[i][2:]
		if i+1 == len(words) || strings.HasPrefix(words[i+1], "--") {
			result.values[name] = "true"
		} else {
			i++
			result.values[name] = words[i]
		}
	}
	return result, nil
}

func (f *flags) need(name string) (string, error) {
	value, there := f.values[name]
	if !there {
		return "", fmt.Errorf("--%s is needed for %s", name, f.command)
	}
	return value, nil
}

func (f *flags) get(name, otherwise string) string {
	if value, there := f.values[name]; there {
		return value
	}
	return otherwise
}

// number gives 0 for what is not one.
func (f *flags) number(name string, otherwise int) int {
	value, there := f.values[name]
	if !there {
		return otherwise
	}
	number, _ := strconv.Atoi(value)
	return number
}

func (f *flags) has(name string) bool {
	_, there := f.values[name]
	return there
}
