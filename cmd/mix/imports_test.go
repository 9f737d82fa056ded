package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/mixagent/mix"

// TestImportsKeepToTheTable holds the real import graph against the table of
// docs/architecture.md. An edge that the table does not name fails.
func TestImportsKeepToTheTable(t *testing.T) {
	t.Parallel()
	rules := readTable(t)
	for pkg, imports := range readImports(t) {
		room, known := rules.room(pkg)
		if !known {
			t.Errorf("package %s is not in the table of docs/architecture.md", pkg)
			continue
		}
		for _, imp := range slices.Sorted(maps.Keys(imports)) {
			target, known := rules.room(imp)
			if !known || target == room {
				continue
			}
			if !rules[room].allowed[target] {
				t.Errorf("%s imports %s: the table does not allow %s → %s", pkg, imp, room, target)
			}
		}
	}
}

// TestSDKNeedsOnlyTheStandardLibrary shows that the public SDK brings nothing.
func TestSDKNeedsOnlyTheStandardLibrary(t *testing.T) {
	t.Parallel()
	root := repository(t)
	walkGo(t, filepath.Join(root, "sdk"), func(file string, imports []string) {
		for _, imp := range imports {
			first, _, _ := strings.Cut(imp, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imp, module+"/sdk") {
				t.Errorf("%s imports %s", file, imp)
			}
		}
	})
}

// rule is what one row allows.
type rule struct{ allowed map[string]bool }

type table map[string]rule

// room returns the package of the table that pkg is or lies in.
func (tb table) room(pkg string) (string, bool) {
	for p := pkg; p != "." && p != "/"; p = path.Dir(p) {
		if _, ok := tb[p]; ok {
			return p, true
		}
	}
	return "", false
}

var quoted = regexp.MustCompile("`([^`]+)`")

// readTable reads the rows "| package | job | may import |". A name in the
// third column stands for the package below internal/ or at the root.
func readTable(t *testing.T) table {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	tb := table{}
	var leaves []string
	type row struct {
		names []string
		may   string
	}
	var rows []row
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		var names []string
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			name := strings.TrimSuffix(m[1], "/…")
			if !strings.Contains(name, "/") && name != "sdk" && name != "web" {
				name = "internal/" + name
			}
			names = append(names, name)
		}
		if strings.Contains(cells[1], "leaf engines") {
			leaves = names
		}
		rows = append(rows, row{names, strings.TrimSpace(cells[3])})
	}
	for _, r := range rows {
		allow := rule{allowed: map[string]bool{}}
		for _, word := range strings.FieldsFunc(r.may, func(c rune) bool { return strings.ContainsRune(", ", c) }) {
			switch word {
			case "sdk", "web":
				allow.allowed[word] = true
			case "everything": // of the rows above
				for name := range tb {
					allow.allowed[name] = true
				}
			case "leaf":
				for _, l := range leaves {
					allow.allowed[l] = true
				}
			default:
				allow.allowed["internal/"+word] = true
			}
		}
		for _, name := range r.names {
			tb[name] = allow
		}
	}
	if len(tb) < 25 {
		t.Fatalf("read only %d packages from the table", len(tb))
	}
	return tb
}

// readImports returns, for each package of the module, which of our packages
// it imports. Tests may import what they like.
func readImports(t *testing.T) map[string]map[string]bool {
	t.Helper()
	root := repository(t)
	graph := map[string]map[string]bool{}
	for _, top := range []string{"cmd", "internal", "sdk", "web"} {
		walkGo(t, filepath.Join(root, top), func(file string, imports []string) {
			rel, err := filepath.Rel(root, filepath.Dir(file))
			if err != nil {
				t.Fatal(err)
			}
			pkg := filepath.ToSlash(rel)
			if graph[pkg] == nil {
				graph[pkg] = map[string]bool{}
			}
			for _, imp := range imports {
				if ours, ok := strings.CutPrefix(imp, module+"/"); ok {
					graph[pkg][ours] = true
				}
			}
		})
	}
	return graph
}

func walkGo(t *testing.T, dir string, visit func(file string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range parsed.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		visit(file, imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// repository is the root of the module.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}
