package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/wire"
)

func TestCreateSessionAsClientsSendIt(t *testing.T) {
	t.Parallel()
	defaults := wire.CreateSessionRequest{
		Title: "My", BrowserMode: domain.BrowserElectron, PromptMode: domain.PromptDefault, SessionType: "main",
	}
	with := func(change func(*wire.CreateSessionRequest)) wire.CreateSessionRequest {
		r := defaults
		change(&r)
		return r
	}
	tests := []struct {
		body string
		want wire.CreateSessionRequest
	}{
		{`{"browserMode":"electron-embedded-browser","promptMode":"default","sessionType":"main","title":"My"}`, defaults},
		{`{"title":"My"}`, defaults},
		{`{"title":"My","browserMode":"","cdpUrl":"","customSystemPrompt":"ignored","callbacks":null,"subagentType":null,"strange":[1]}`, defaults},
		{`{"title":" My ","browserMode":"remote-cdp-websocket","cdpUrl":"wss://x"}`, with(func(r *wire.CreateSessionRequest) {
			r.BrowserMode, r.CdpURL = domain.BrowserRemoteCDP, "wss://x"
		})},
		{`{"title":"My","promptMode":"append","customSystemPrompt":"p"}`, with(func(r *wire.CreateSessionRequest) {
			r.PromptMode, r.CustomSystemPrompt = domain.PromptAppend, "p"
		})},
		{`{"title":"My","modelId":"m","provider":"openai"}`, with(func(r *wire.CreateSessionRequest) {
			r.ModelID, r.Provider, r.Model = "m", "openai", "openai/m"
		})},
		{`{"title":"My","modelId":"openai/m","provider":""}`, with(func(r *wire.CreateSessionRequest) {
			r.ModelID, r.Model = "openai/m", "openai/m"
		})},
		{
			`{"project_path":"/w","model_id":"demo/demo","permission_mode":"auto","allow":["Read"],"deny":["Bash"],"trust":true,"max_steps":3,"max_cost":1.5,"grant_directory":true}`,
			with(func(r *wire.CreateSessionRequest) {
				r.Title, r.ProjectPath, r.Model, r.PermissionMode = "", "/w", "demo/demo", domain.ModeAuto
				r.Allow, r.Deny, r.Trust, r.MaxSteps, r.MaxCost, r.GrantDirectory = []string{"Read"}, []string{"Bash"}, true, 3, 1.5, true
			}),
		},
	}
	for _, tt := range tests {
		var r wire.CreateSessionRequest
		if err := wire.Decode(strings.NewReader(tt.body), &r); err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if err := r.Validate(); err != nil {
			t.Errorf("%s: %v", tt.body, err)
		}
		if diff := cmp.Diff(tt.want, r); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
	}
}

func TestPolicyOfARequest(t *testing.T) {
	t.Parallel()
	r := wire.CreateSessionRequest{PermissionMode: domain.ModeAuto, Allow: []string{"a"}, Deny: []string{"d"}, Trust: true, MaxSteps: 2, MaxCost: 3}
	want := domain.Policy{Mode: domain.ModeAuto, Allow: []string{"a"}, Deny: []string{"d"}, Trust: true, MaxSteps: 2, MaxCostUSD: 3}
	if diff := cmp.Diff(want, r.Policy()); diff != "" {
		t.Error(diff)
	}
}

func TestLongTitlesAreCut(t *testing.T) {
	t.Parallel()
	r := wire.CreateSessionRequest{Title: strings.Repeat("é", 500)}
	if err := r.Validate(); err != nil || r.Title != strings.Repeat("é", 200) {
		t.Errorf("%d bytes, %v", len(r.Title), err)
	}
}

func TestInvalidRequestsNameTheField(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 51_201)
	session := func() validator { return &wire.CreateSessionRequest{} }
	callbacks := func() validator { return &wire.UpdateCallbacksRequest{} }
	message := func() validator { return &wire.SendMessageRequest{} }
	answer := func() validator { return &wire.AnswerRequest{} }
	tests := []struct {
		make        func() validator
		body, field string
	}{
		{session, ``, "body"},
		{session, ` `, "body"},
		{session, `null`, "body"},
		{session, `[]`, "body"},
		{session, `{"title":"x"`, "body"},
		{session, `{"title":"x"} {}`, "body"},
		{session, `{}`, "title"},
		{session, `{"title":null}`, "title"},
		{session, `{"title":"  "}`, "title"},
		{session, `{"title":5}`, "title"},
		{session, `{"title":"x","browserMode":"firefox"}`, "browserMode"},
		{session, `{"title":"x","browserMode":"remote-cdp-websocket"}`, "cdpUrl"},
		{session, `{"title":"x","browserMode":"remote-cdp-websocket","cdpUrl":"http://x"}`, "cdpUrl"},
		{session, `{"title":"x","promptMode":"shout"}`, "promptMode"},
		{session, `{"title":"x","promptMode":"append","customSystemPrompt":"` + big + `"}`, "customSystemPrompt"},
		{session, `{"title":"x","promptMode":"replace","customSystemPrompt":"` + big + big + `"}`, "customSystemPrompt"},
		{session, `{"title":"x","sessionType":"subagent"}`, "sessionType"},
		{session, `{"title":"x","subagentType":"general-purpose"}`, "subagentType"},
		{session, `{"title":"x","provider":"openai"}`, "modelId"},
		{session, `{"title":"x","permission_mode":"yolo"}`, "permission_mode"},
		{session, `{"title":"x","max_steps":-1}`, "max_steps"},
		{session, `{"title":"x","max_steps":1.5}`, "max_steps"},
		{session, `{"title":"x","max_cost":-1}`, "max_cost"},
		{session, `{"title":"x","deny":["Bash",""]}`, "deny"},
		{session, `{"title":"x","callbacks":[{"type":"bash_script"}]}`, "callbacks[0].toolName"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"email"}]}`, "callbacks[0].type"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"bash_script"}]}`, "callbacks[0].bashCommand"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"bash_script","bashCommand":"x","bashTimeout":-1}]}`, "callbacks[0].bashTimeout"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"sub_agent"}]}`, "callbacks[0].subAgentPrompt"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"send_message"}]}`, "callbacks[0].messageContent"},
		{callbacks, `{"callbacks":[{"toolName":"*","type":"send_message","messageContent":"x","excludeFromContext":true}]}`, "callbacks[0].excludeFromContext"},
		{message, `{}`, "text"},
		{message, `{"text":"\n"}`, "text"},
		{message, `{"text":"x","thinking_level":"deep"}`, "thinking_level"},
		{message, `{"text":"x","thinking_level":5}`, "thinking_level"},
		{message, `{"text":"x","max_steps":0}`, "max_steps"},
		{message, `{"text":"x","plan_mode":"yes"}`, "plan_mode"},
		{answer, `{"scope":"forever"}`, "scope"},
		{answer, `{"input":[1]}`, "input"},
	}
	for _, tt := range tests {
		r := tt.make()
		err := wire.Decode(strings.NewReader(tt.body), r)
		if err == nil {
			err = r.Validate()
		}
		var field *wire.FieldError
		if !errors.As(err, &field) || field.Field != tt.field || field.Reason == "" {
			t.Errorf("%.80s: %v, want an error of %s", tt.body, err, tt.field)
		}
	}
}

type validator interface{ Validate() error }

func TestCallbacksAsClientsSendThem(t *testing.T) {
	t.Parallel()
	for body, n := range map[string]int{
		`{"callbacks":null}`: 0,
		`{"callbacks":[]}`:   0,
		`{"callbacks":[{"bashCommand":"true","bashTimeout":120000,"excludeFromContext":false,"includeFullHistory":false,"subAgentType":"general-purpose","toolName":"*","type":"bash_script"}]}`:        1,
		`{"callbacks":[{"messageContent":"next","bashTimeout":120000,"excludeFromContext":false,"includeFullHistory":false,"subAgentType":"general-purpose","toolName":"Bash","type":"send_message"}]}`: 1,
	} {
		var r wire.UpdateCallbacksRequest
		if err := wire.Decode(strings.NewReader(body), &r); err != nil || r.Validate() != nil || len(r.Callbacks) != n {
			t.Errorf("%s: %v, %v, %d callbacks", body, err, r.Validate(), len(r.Callbacks))
		}
	}
}

func TestSendMessageAsClientsSendIt(t *testing.T) {
	t.Parallel()
	three := 3
	for body, want := range map[string]wire.SendMessageRequest{
		`{"plan_mode":false,"text":"hi"}`:         {Text: "hi"},
		`{"text":"hi","thinking_level":null}`:     {Text: "hi"},
		`{"text":"hi","thinking_level":"off"}`:    {Text: "hi", ThinkingLevel: wire.Thinking{Effort: domain.EffortOff}},
		`{"text":"hi","max_steps":null}`:          {Text: "hi"},
		`{"text":"/help","max_steps":3,"new":{}}`: {Text: "/help", MaxSteps: &three},
		`{"text":"hi","plan_mode":true,"thinking_level":"maximum"}`: {
			Text: "hi", PlanMode: true, ThinkingLevel: wire.Thinking{Effort: domain.EffortMaximum},
		},
	} {
		var r wire.SendMessageRequest
		err := wire.Decode(strings.NewReader(body), &r)
		if diff := cmp.Diff(want, r); err != nil || diff != "" || r.Validate() != nil {
			t.Errorf("%s: %v %v\n%s", body, err, r.Validate(), diff)
		}
	}
}

func TestAnswerRequest(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]domain.Scope{
		`{}`: domain.ScopeOnce, `{"scope":null,"input":null}`: domain.ScopeOnce, `{"scope":"project","rule":"Bash(ls:*)","input":{"a":1}}`: domain.ScopeProject,
	} {
		var r wire.AnswerRequest
		if err := wire.Decode(strings.NewReader(body), &r); err != nil || r.Validate() != nil || r.Scope != want {
			t.Errorf("%s: %v, %v, scope %s", body, err, r.Validate(), r.Scope)
		}
	}
}

func TestDecodeKeepsTheReadersError(t *testing.T) {
	t.Parallel()
	var r wire.SendMessageRequest
	err := wire.Decode(failing{}, &r)
	var field *wire.FieldError
	if !errors.Is(err, errTooLarge) || errors.As(err, &field) {
		t.Errorf("%v", err)
	}
}

var errTooLarge = errors.New("too large")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errTooLarge }
