package config

import _ "embed"

//go:generate go test -run TestSchemaIsFresh -update .

//go:embed schema.json
var schema string

// Schema is the JSON schema of settings files, for editors and for people who
// write such files with programs.
func Schema() string { return schema }
