package agent

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/config"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
	"github.com/mixagent/mix/internal/tools"
)

//go:embed system.md
var systemText string

// systemPrompt composes a session's system prompt. It is stored and never
// changes, and it holds nothing that differs from one minute to the next:
// vendors cache a request by its prefix, and a changed first line would make
// every later turn pay for the whole conversation again.
func (s *Service) systemPrompt(sess domain.Session) string {
	custom := strings.TrimSpace(expandPlaceholders(sess.CustomPrompt, sess))
	if sess.PromptMode == domain.PromptReplace && custom != "" {
		return custom
	}
	var b strings.Builder
	b.WriteString(strings.TrimSpace(systemText))
	fmt.Fprintf(&b, "\n\nWhere you are\n- Platform: %s/%s, shell: %s\n- Directory: %s\n",
		runtime.GOOS, runtime.GOARCH, shellName(), sess.Directory)
	found, err := config.Instructions(sess.Directory)
	if err != nil {
		s.o.Logger.Warn("instructions of the project could not be read", "session", sess.ID, "error", err)
	}
	for _, in := range found {
		fmt.Fprintf(&b, "\nInstructions of the project, from %s:\n\n%s\n", in.Path, strings.TrimSpace(in.Text))
	}
	if sess.PromptMode == domain.PromptAppend && custom != "" {
		b.WriteString("\n" + custom + "\n")
	}
	return b.String()
}

// expandPlaceholders replaces $<name> in a custom prompt by what Mix knows of
// the session; unknown names stay as they are.
func expandPlaceholders(text string, sess domain.Session) string {
	return strings.NewReplacer(
		"$<cwd>", sess.Directory,
		"$<directory>", sess.Directory,
		"$<platform>", runtime.GOOS,
		"$<session_id>", sess.ID,
		"$<model>", sess.Model,
	).Replace(text)
}

func shellName() string {
	if runtime.GOOS == "windows" {
		return "cmd"
	}
	if _, err := os.Stat("/bin/bash"); err == nil {
		return "bash"
	}
	return "sh"
}

// opening is the block that goes before a session's first prompt: what would
// break the cached prefix if it stood in the system prompt.
func (s *Service) opening(ctx context.Context, sess domain.Session) domain.Block {
	var b strings.Builder
	fmt.Fprintf(&b, "Today's date: %s\n", s.o.Now().Format(time.DateOnly))
	b.WriteString(tools.RepositoryState(ctx, sess.Directory))
	return domain.Block{Type: domain.BlockText, Text: b.String(), Context: true}
}

// toolList is what the model is offered: in plan mode nothing that writes or
// executes. The executor enforces the same once more for each call.
func (s *Service) toolList(mode domain.PermissionMode) []provider.Tool {
	visible := s.o.Tools.List(func(t tools.Tool) bool {
		if mode != domain.ModePlan {
			return true
		}
		for _, c := range t.Capabilities() {
			if c == domain.CanWrite || c == domain.CanExecute {
				return false
			}
		}
		return true
	})
	list := make([]provider.Tool, len(visible))
	for i, t := range visible {
		list[i] = provider.Tool{Name: t.Name(), Description: t.Description(), Schema: t.Schema()}
	}
	return list
}
