package main

import (
	"bytes"
	"fmt"
)

// makeBody gives `PREFIX:00000042:` and then letters up to the size.
func makeBody(prefix string, seq, size int) []byte {
	body := []byte(fmt.Sprintf("%s:%08d:", prefix, seq))
	for i := len(body); i < size; i++ {
		body = append(body, letter(i))
	}
	return body
}

func letter(i int) byte {
	return byte('a' + i%26)
}

// bodyPrefix is everything up to and with the second colon, or nothing where there is none.
func bodyPrefix(body []byte) string {
	first := bytes.IndexByte(body, ':') + 1
	second := bytes.IndexByte(body[first:], ':') + 1
	if first == 0 || second == 0 {
		return ""
	}
	return string(body[:first+second])
}

// isWhole tells whether the padding behind the prefix is whole, and the size the one expected (0: any).
func isWhole(body []byte, prefix string, size int) bool {
	if prefix == "" || size > 0 && len(body) != size {
		return false
	}
	for i := len(prefix); i < len(body); i++ {
		if body[i] != letter(i) {
			return false
		}
	}
	return true
}
