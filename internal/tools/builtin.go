package tools

// Builtin returns the tools that are part of the program.
func Builtin() []Tool {
	return []Tool{Bash(), Edit(), Glob(), Grep(), ReadText(), Write()}
}
