package config

// BoundsForTest is how the test that writes the JSON schema sees the bounds.
func BoundsForTest(key string) (lo, hi float64, one []string, ok bool) {
	b, ok := bounds(key)
	return b.min, b.max, b.one, ok
}
