// Package eventlog keeps the numbered, durable event log of every session.
package eventlog
