package api

import (
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/agent"
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/eventlog"
	"github.com/mixagent/mix/internal/permission"
	"github.com/mixagent/mix/internal/store"
	"github.com/mixagent/mix/internal/wire"
)

// maxBody bounds a JSON body: the largest prompt, escaped. How long a client may
// take to send it is the server's matter, which also covers bodies that no
// handler reads.
const maxBody = 16 << 20

// Options are what the routes need. All are required.
type Options struct {
	Agent    *agent.Service
	Store    *store.Store
	Log      *eventlog.Log
	Gate     *permission.Gate
	Logger   *slog.Logger
	Version  string
	Instance string
	// Defaults are the policy of sessions that a client creates without one.
	Defaults domain.Policy
	// Heartbeat is the time between two signs of life on a silent stream.
	Heartbeat time.Duration
}

// API answers requests. It is an [http.Handler].
type API struct {
	o   Options
	mux *http.ServeMux
}

// New returns the handler of all routes.
func New(o Options) *API {
	a := &API{o: o, mux: http.NewServeMux()}
	for _, r := range a.routes() {
		a.mux.Handle(r.pattern, a.handle(r.do))
	}
	return a
}

type handler func(w http.ResponseWriter, r *http.Request) error

type route struct {
	pattern string
	do      handler
}

// routes lists the whole surface: the contract's first, then Mix's own.
func (a *API) routes() []route {
	return []route{
		{"GET /health", a.health},
		{"GET /stream", a.contractStream},
		{"GET /api/sessions", a.listSessions},
		{"POST /api/sessions", a.createSession},
		{"GET /api/sessions/{id}", a.getSession},
		{"DELETE /api/sessions/{id}", a.deleteSession},
		{"GET /api/sessions/{id}/messages", a.listMessages},
		{"POST /api/sessions/{id}/messages", a.sendMessage},
		{"POST /api/sessions/{id}/cancel", a.cancel},
		{"GET /api/sessions/{id}/export", a.exportSession},
		{"POST /api/permissions/{id}/grant", a.grant},
		{"POST /api/permissions/{id}/deny", a.deny},

		{"GET /api/sessions/{id}/events", a.ownStream},
		{"POST /api/sessions/{id}/submit", a.submit},
		{"GET /api/sessions/{id}/requests", a.openRequests},
		{"POST /api/sessions/{id}/explain", a.explainSession},
		{"POST /api/permissions/explain", a.explainCall},
		{"GET /api/audit", a.audit},
	}
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// ServeHTTP routes the request. What no route takes is answered in JSON, and
// an unclean path is never redirected: clients would repeat a redirected POST
// as a GET.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.EscapedPath(); p == "" || p[0] != '/' || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
		Refuse(w, http.StatusNotFound, fmt.Sprintf("no route %s %s", r.Method, p))
		return
	}
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	a.noRoute(w, r)
}

// noRoute answers what no route takes. It is kept out of ServeHTTP, whose
// frame stays on the stack of every stream for as long as that is open.
//
//go:noinline
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	probe := *r
	for _, m := range methods {
		probe.Method = m
		if _, pattern := a.mux.Handler(&probe); pattern != "" {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		Refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s takes %s, not %s", r.URL.Path, strings.Join(allowed, " or "), r.Method))
		return
	}
	Refuse(w, http.StatusNotFound, fmt.Sprintf("no route %s %s", r.Method, r.URL.Path))
}

// handle turns a handler that returns errors into one of net/http's.
func (a *API) handle(do handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				a.o.Logger.Error("a request panicked", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				a.fail(w, r, errors.New("internal error; the details are in the server's log"))
			}
		}()
		if id := r.PathValue("id"); id != "" && !domain.ValidID(id) {
			a.fail(w, r, notFound(nameOf(r), id))
			return
		}
		if err := do(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// nameOf is what the identifier in a path stands for.
func nameOf(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/api/permissions/") {
		return "permission request"
	}
	return "session"
}

// fail renders an error, the one place that does.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	if fe := fieldOf(err); fe != nil {
		writeJSON(w, http.StatusBadRequest, wire.NewFieldError(fe))
		return
	}
	e := classify(err)
	if e.status >= http.StatusInternalServerError {
		a.o.Logger.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	writeJSON(w, e.status, wire.NewError(e.status, e.reason, e.err.Error()))
}

// decode reads a JSON body into v. Unknown keys are ignored, as the contract
// says; anything that is not one JSON object of the right shape is refused.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if err := requireJSON(r); err != nil {
		return err
	}
	if err := wire.Decode(http.MaxBytesReader(w, r.Body, maxBody), v); err != nil {
		var fe *wire.FieldError
		var large *http.MaxBytesError
		if errors.As(err, &fe) || errors.As(err, &large) {
			return err
		}
		return invalid("body", "could not be read: %v", err)
	}
	return nil
}

// decodeOptional is decode for a request whose body may be missing.
func decodeOptional(w http.ResponseWriter, r *http.Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return decode(w, r, v)
}

// requireJSON refuses other content types: a web page may send text/plain to
// any server without asking.
func requireJSON(r *http.Request) error {
	ct := r.Header.Get("Content-Type")
	mt, _, err := mime.ParseMediaType(ct)
	if err != nil || mt != "application/json" {
		return &httpError{http.StatusBadRequest, "content_type", fmt.Errorf("the Content-Type must be application/json, not %q", ct)}
	}
	return nil
}
