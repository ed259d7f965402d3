package rest

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// TestOpenAPIPage keeps docs/openapi.json equal to what the routes make.
func TestOpenAPIPage(t *testing.T) {
	want, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("docs/openapi.json does not describe the paths the server answers; run go generate ./rest")
	}
}

// TestAnswersOfRoutes: each path says what it answers with, and nothing else does.
func TestAnswersOfRoutes(t *testing.T) {
	known := map[string]bool{}
	for _, r := range Routes() {
		key := r.Method + " " + r.Path
		known[key] = true
		if answers[key] == nil {
			t.Errorf("openapi_answers.go does not say what %s answers", key)
		}
	}
	for key := range answers {
		if !known[key] {
			t.Errorf("openapi_answers.go describes %s, which is no path", key)
		}
	}
	for key := range bodies {
		if !known[key] {
			t.Errorf("openapi_answers.go describes the body of %s, which is no path", key)
		}
	}
}

// TestReferences: whatever the description refers to is in it.
func TestReferences(t *testing.T) {
	text, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
		Paths any `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	const prefix = "#/components/schemas/"
	refs := 0
	var look func(v any)
	look = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok {
				refs++
				if len(ref) <= len(prefix) || doc.Components.Schemas[ref[len(prefix):]] == nil {
					t.Errorf("%s is nowhere", ref)
				}
			}
			for _, e := range x {
				look(e)
			}
		case []any:
			for _, e := range x {
				look(e)
			}
		}
	}
	look(doc.Paths)
	look(map[string]any(doc.Components.Schemas))
	if refs < 50 {
		t.Errorf("%d references", refs)
	}
}
