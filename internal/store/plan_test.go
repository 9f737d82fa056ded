package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestQueriesUseIndexes asks SQLite how it would execute each query: none may
// walk through a table or sort what an index has in order, except those that
// are meant to.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	meant := map[string]string{
		"LastRequest":    "SCAN requests", // one step from the end
		"LastDecision":   "SCAN decisions",
		"OpenRequests":   "SCAN open_requests, USE TEMP B-TREE FOR ORDER BY", // a handful
		"QueuedMessages": "USE TEMP B-TREE FOR ORDER BY",                     // a handful
		"ListGrants":     "USE TEMP B-TREE FOR ORDER BY",                     // a handful
	}
	pool := rawDB(t, open(t).Path())
	files, err := filepath.Glob("queries/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range strings.Split(string(text), "-- name: ")[1:] {
			name, _, _ := strings.Cut(query, " ")
			_, query, _ = strings.Cut(query, "\n")
			n++
			plan := explain(t, pool, query)
			if bad := badSteps(plan); bad != meant[name] {
				t.Errorf("%s: %q, want %q in\n%s", name, bad, meant[name], strings.Join(plan, "\n"))
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d queries were found", n)
	}
}

// badSteps returns what is wrong with a plan: scans of tables and sorting.
// Sorting only rows that agree in all but the last term is fine.
func badSteps(plan []string) string {
	var bad []string
	for _, step := range plan {
		switch {
		case strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING"), step == "USE TEMP B-TREE FOR ORDER BY":
			bad = append(bad, step)
		}
	}
	return strings.Join(bad, ", ")
}

func explain(t *testing.T, pool *sql.DB, query string) []string {
	t.Helper()
	var args []any
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`@(\w+)`).FindAllStringSubmatch(query, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			args = append(args, sql.Named(m[1], nil))
		}
	}
	for range strings.Count(query, "?") {
		args = append(args, nil)
	}
	rows, err := pool.Query("EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
