package tools

import "github.com/google/jsonschema-go/jsonschema"

// atLeast sets the smallest value of a number.
func atLeast(s *jsonschema.Schema, least float64, key string) { s.Properties[key].Minimum = &least }

// atMost sets the largest.
func atMost(s *jsonschema.Schema, most float64, key string) { s.Properties[key].Maximum = &most }

// oneOf lists the values that a string may have.
func oneOf(s *jsonschema.Schema, key string, values ...any) { s.Properties[key].Enum = values }
