//go:build !linux

package store_test

import "errors"

func commitOnLimitedDisk(string) error { return errors.ErrUnsupported }
