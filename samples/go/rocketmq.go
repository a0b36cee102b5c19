// Package sample has a RocketMQ broker for tests: `python -m pymq.testing` as a child process, asked by lines of JSON.
package sample

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
)

// RocketMQ is a broker that runs. NameServer is where clients connect.
type RocketMQ struct {
	NameServer string
	child      *exec.Cmd
	input      io.WriteCloser
	output     *bufio.Reader
}

// Fields of a command.
type Fields map[string]any

type answer struct {
	Ok         bool
	Error      string
	NameServer string
	Result     json.RawMessage
}

// Start runs a broker with the interpreter PYMQ_PYTHON, by default python3, in which pymq-broker[testing] is installed.
func Start() (*RocketMQ, error) {
	python := os.Getenv("PYMQ_PYTHON")
	if python == "" {
		python = "python3"
	}
	child := exec.Command(python, "-m", "pymq.testing")
	child.Stderr = os.Stderr
	input, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, err
	}
	rocketmq := &RocketMQ{child: child, input: input, output: bufio.NewReader(output)}
	first, err := rocketmq.read()
	if err != nil {
		return nil, err
	}
	rocketmq.NameServer = first.NameServer
	return rocketmq, nil
}

func (r *RocketMQ) read() (answer, error) {
	var said answer
	line, err := r.output.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	if err == nil && said.Error != "" {
		err = errors.New(said.Error)
	}
	return said, err
}

// Do does a command and reads its result into `result`, unless that is nil. One at a time.
func (r *RocketMQ) Do(command string, fields Fields, result any) error {
	line := Fields{"do": command}
	for name, value := range fields {
		line[name] = value
	}
	if err := json.NewEncoder(r.input).Encode(line); err != nil {
		return err
	}
	said, err := r.read()
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(said.Result, result)
}

// Stop ends the broker.
func (r *RocketMQ) Stop() error {
	if err := r.input.Close(); err != nil {
		return err
	}
	return r.child.Wait()
}
