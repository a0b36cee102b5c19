package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

type fields map[string]interface{}

var (
	output      = bufio.NewWriterSize(os.Stdout, 1<<20)
	outputMutex sync.Mutex
)

// show writes an event, one JSON object a line on standard output, and flushes it.
func show(event string, values fields) {
	note(event, values)
	flush()
}

// note writes an event that the next show or flush carries out.
func note(event string, values fields) {
	if values == nil {
		values = fields{}
	}
	values["event"] = event
	line, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	outputMutex.Lock()
	defer outputMutex.Unlock()
	output.Write(append(line, '\n'))
}

func flush() {
	outputMutex.Lock()
	defer outputMutex.Unlock()
	output.Flush()
}

// ackFile holds a line `seq queueId queueOffset` for each acknowledged message, written out as each comes.
type ackFile struct {
	file *os.File
}

func openAckFile(path string) (ackFile, error) {
	if path == "" {
		return ackFile{}, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	return ackFile{file}, err
}

func (a ackFile) add(seq, queueID int, queueOffset int64) error {
	if a.file == nil {
		return nil
	}
	_, err := fmt.Fprintf(a.file, "%d %d %d\n", seq, queueID, queueOffset)
	return err
}
