package tools

import "strings"

// nearest returns the candidate most like name, or "" when none is like it:
// more than a third of its letters would have to change. Upper and lower case,
// "_" and "-" count as the same.
func nearest(name string, candidates []string) string {
	const longest = 100 // letters compared; names are short, a model's text may not be
	name = plain(name)
	if name == "" || len(name) > longest {
		return ""
	}
	best, least := "", len(name)/3+1
	for _, c := range candidates {
		if len(c) > longest {
			continue
		}
		if d := distance(name, plain(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

var plainer = strings.NewReplacer("_", "", "-", "")

func plain(s string) string { return plainer.Replace(strings.ToLower(s)) }

// distance is the number of bytes to insert, delete or change to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
