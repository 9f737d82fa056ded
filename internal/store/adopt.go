package store

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// Programs before Mix kept sessions and messages in tables of the same names,
// without numbers for their schema. The first migration leaves a table alone
// that exists; this one, the second, gives it the columns it lacks.

// column is a column of the first migration.
type column struct{ name, definition, fallback string }

// adopt completes tables that an older program made. In a database made by the
// first migration it finds nothing to do.
func adopt(ctx context.Context, tx *sql.Tx) error {
	text, err := migrationFiles.ReadFile("migrations/00001_tables.sql")
	if err != nil {
		return err
	}
	tables := regexp.MustCompile(`(?ms)^CREATE TABLE IF NOT EXISTS (\w+) \(\n(.*?)^\)`)
	for _, t := range tables.FindAllStringSubmatch(string(text), -1) {
		if err := adoptTable(ctx, tx, t[1], columnsOf(t[2])); err != nil {
			return fmt.Errorf("adopt the table %s: %w", t[1], err)
		}
	}
	return nil
}

// columnsOf reads the columns of a table, each on a line of its own.
func columnsOf(body string) []column {
	definition := regexp.MustCompile(`^  (([a-z_]+) [A-Z].*?),?$`)
	fallback := regexp.MustCompile(` DEFAULT (\S+)$`)
	var columns []column
	for line := range strings.Lines(body) {
		m := definition.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			continue
		}
		c := column{name: m[2], definition: m[1]}
		if d := fallback.FindStringSubmatch(m[1]); d != nil {
			c.fallback = d[1]
		}
		columns = append(columns, c)
	}
	return columns
}

func adoptTable(ctx context.Context, tx *sql.Tx, table string, columns []column) error {
	present, err := presentColumns(ctx, tx, table)
	if err != nil {
		return err
	}
	var steps []string
	missing := make(map[string]bool)
	for _, c := range columns {
		switch {
		case !present[c.name]:
			missing[c.name] = true
			steps = append(steps, "ALTER TABLE "+table+" ADD COLUMN "+c.definition)
		case c.fallback != "":
			steps = append(steps, "UPDATE "+table+" SET "+c.name+" = "+c.fallback+" WHERE "+c.name+" IS NULL")
		}
		if present[c.name] && strings.HasSuffix(c.name, "_at") {
			steps = append(steps, "UPDATE "+table+" SET "+c.name+
				" = COALESCE(CAST(unixepoch("+c.name+", 'subsec') * 1000 AS INTEGER), 0) WHERE typeof("+c.name+") = 'text'")
		}
	}
	if len(missing) == 0 {
		return nil // it is ours
	}
	if missing["sequence"] {
		steps = append(steps, `UPDATE messages SET sequence = place.n FROM (
			SELECT id, row_number() OVER (PARTITION BY session_id ORDER BY rowid) AS n FROM messages
		) AS place WHERE place.id = messages.id`)
	}
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step); err != nil && !strings.Contains(err.Error(), "duplicate column") {
			return err
		}
	}
	return nil
}

func presentColumns(ctx context.Context, tx *sql.Tx, table string) (map[string]bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT name FROM pragma_table_info(?)", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	present := make(map[string]bool)
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		present[name] = true
	}
	return present, rows.Err()
}
