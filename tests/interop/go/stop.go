package main

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// stop is the wish to stop, from SIGTERM or a closed standard input.
type stop struct {
	wanted chan struct{}
	once   sync.Once
}

func newStop() *stop {
	result := &stop{wanted: make(chan struct{})}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		result.want()
	}()
	return result
}

func (s *stop) want() {
	s.once.Do(func() { close(s.wanted) })
}

func (s *stop) isWanted() bool {
	select {
	case <-s.wanted:
		return true
	default:
		return false
	}
}

func (s *stop) onInputClosed() {
	go func() {
		io.Copy(io.Discard, os.Stdin)
		s.want()
	}()
}
