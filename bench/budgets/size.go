package budgets

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
)

const binaryBudget = 40 << 20

// Size measures the program's file.
func Size(ctx context.Context, l *Lab) ([]Row, error) {
	info, err := os.Stat(l.mix)
	if err != nil {
		return nil, err
	}
	about, err := buildinfo.ReadFile(l.mix)
	if err != nil {
		return nil, err
	}
	stripped := filepath.Join(l.dir, "mix-stripped")
	if err := goBuild(ctx, "..", stripped, "./cmd/mix", "-ldflags=-s -w"); err != nil {
		return nil, err
	}
	small, err := os.Stat(stripped)
	if err != nil {
		return nil, err
	}
	return []Row{{
		Name: "binary", Budget: "≤ " + mem(binaryBudget), Measured: mem(info.Size()), Verdict: judge(info.Size(), binaryBudget),
		Note: fmt.Sprintf("%s without symbols; %d modules linked", mem(small.Size()), len(about.Deps)),
	}}, nil
}
