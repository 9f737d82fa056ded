package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/store"
)

// maxTitle bounds a title in runes; longer ones are cut, as the contract's
// first server did.
const maxTitle = 200

// NewSession describes a session to create.
type NewSession struct {
	Title string
	// Directory is where tools work; "" means the server's.
	Directory string
	// Model is "PROVIDER/MODEL"; "" means the server's.
	Model  string
	Policy domain.Policy
	// GrantDirectory records that reads below the directory need no question:
	// the person started this session in that directory.
	GrantDirectory bool

	BrowserMode  domain.BrowserMode
	CdpURL       string
	Callbacks    []domain.Callback
	PromptMode   domain.PromptMode
	CustomPrompt string
}

// ErrDirectory marks a directory that a session cannot use.
var ErrDirectory = errors.New("unusable directory")

// CreateSession stores a new session and its folder. An unknown model is
// refused here, before anything is written; a missing key is not, since it may
// be there by the time it is needed.
func (s *Service) CreateSession(ctx context.Context, n NewSession) (domain.Session, error) {
	if n.Model == "" {
		n.Model = s.o.DefaultModel
	}
	model, err := s.o.Models.Canonical(n.Model)
	if err != nil {
		return domain.Session{}, fmt.Errorf("%w: %w", ErrModel, err)
	}
	if err := permission.CheckPolicy(n.Policy); err != nil {
		return domain.Session{}, fmt.Errorf("%w: %w", ErrRule, err)
	}
	if err := s.enter(); err != nil {
		return domain.Session{}, err
	}
	defer s.leave()
	id := domain.NewID()
	folder := s.SessionDir(id)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return domain.Session{}, fmt.Errorf("make the session's folder: %w", err)
	}
	dir, err := s.directory(n.Directory, folder)
	if err != nil {
		_ = os.RemoveAll(folder)
		return domain.Session{}, err
	}
	now := s.now()
	sess := domain.Session{
		ID: id, Kind: domain.SessionMain,
		Title: cut(strings.TrimSpace(n.Title), maxTitle), TitleGiven: strings.TrimSpace(n.Title) != "",
		Directory: dir, Model: model, Policy: n.Policy,
		BrowserMode: n.BrowserMode, CdpURL: n.CdpURL, Callbacks: n.Callbacks,
		PromptMode: n.PromptMode, CustomPrompt: n.CustomPrompt,
		CreatedAt: now, UpdatedAt: now,
	}
	if sess.BrowserMode == "" {
		sess.BrowserMode = domain.BrowserLocal
	}
	if sess.Policy.Mode == "" {
		sess.Policy.Mode = domain.ModeAsk
	}
	b := store.NewBatch()
	b.CreateSession(sess, s.o.Log.Create(id))
	if n.GrantDirectory {
		b.AddGrant(s.o.Gate.GrantDirectory(id, dir))
	}
	if err := s.o.Store.Commit(context.WithoutCancel(ctx), b); err != nil {
		s.o.Log.Forget(id)
		_ = os.RemoveAll(folder)
		return domain.Session{}, fmt.Errorf("store the session: %w", err)
	}
	s.o.Log.Append(id, domain.SessionNew{SessionID: id, Title: sess.Title, CreatedAt: now})
	return sess, nil
}

// directory decides where a session works. The home directory and the root
// are never searched or written as a whole: such a session gets an empty
// directory in its own folder instead.
func (s *Service) directory(asked, folder string) (string, error) {
	dir := asked
	if dir == "" {
		dir = s.o.DefaultDir
	}
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			return "", fmt.Errorf("%w: the server's working directory: %w", ErrDirectory, err)
		}
		dir = wd
	}
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("%w: %q is not an absolute path; name it from the root on", ErrDirectory, dir)
	}
	resolved, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("%w: %w; name a directory that exists", ErrDirectory, err)
	}
	if err := readable(resolved); err != nil {
		return "", fmt.Errorf("%w: %w; name a directory that you can read", ErrDirectory, err)
	}
	for _, p := range s.o.Protected {
		if resolved == p || strings.HasPrefix(resolved, p+string(filepath.Separator)) {
			return "", fmt.Errorf("%w: %s belongs to Mix itself; name another one", ErrDirectory, resolved)
		}
	}
	if resolved == s.home || filepath.Dir(resolved) == resolved {
		work := filepath.Join(folder, "work")
		if err := os.MkdirAll(work, 0o700); err != nil {
			return "", fmt.Errorf("make the session's directory: %w", err)
		}
		return filepath.EvalSymlinks(work)
	}
	return resolved, nil
}

// readable reports why the entries of a directory cannot be listed.
func readable(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Readdirnames(1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// DeleteSession cancels what the session is doing, waits for it, and removes
// the session with its messages and its folder. The audit keeps its rows.
func (s *Service) DeleteSession(ctx context.Context, id string) error {
	if _, err := s.o.Store.Session(ctx, id); err != nil {
		return err
	}
	a, err := s.acquire(id)
	if err != nil {
		return err
	}
	defer s.release(a)
	a.submit.Lock()
	defer a.submit.Unlock()
	if err := s.cancelAndWait(ctx, a); err != nil {
		return err
	}
	b := store.NewBatch()
	b.DeleteSession(id)
	if err := s.o.Store.Commit(context.WithoutCancel(ctx), b); err != nil {
		return fmt.Errorf("delete the session: %w", err)
	}
	s.o.Log.Append(id, domain.SessionGone{SessionID: id})
	s.o.Log.Forget(id)
	s.o.Gate.Forget(id)
	s.forget(id)
	if err := os.RemoveAll(s.SessionDir(id)); err != nil {
		s.o.Logger.Warn("the folder of a deleted session could not be removed", "session", id, "error", err)
	}
	return nil
}

// forget drops a deleted session from memory.
func (s *Service) forget(id string) {
	s.mu.Lock()
	delete(s.active, id)
	s.mu.Unlock()
}

// cut shortens text to at most n runes.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:n])
}
