package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
)

//go:generate go run ./gen ../docs/openapi.json

// This file makes the OpenAPI description of the server from its routes and the types of their answers.

// object is a JSON object of the description; encoding/json sorts its keys.
type object = map[string]any

// textAnswer marks answers that are plain text, messageAnswer those that are messages of rest.proto, noAnswer paths that always
// answer with an error, anyAnswer documents of a shape that is not described.
type (
	textAnswer    struct{}
	messageAnswer string
	noAnswer      struct{}
	anyAnswer     struct{}
)

// OpenAPI is the server's description as docs/openapi.json has it.
func OpenAPI() ([]byte, error) {
	d := describer{schemas: object{}}
	paths := object{}
	for _, r := range Routes() {
		template := "/v1" + r.template()
		methods, ok := paths[template].(object)
		if !ok {
			methods = object{}
			paths[template] = methods
		}
		methods[strings.ToLower(r.Method)] = d.operation(r)
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "Weft's REST API", "version": "v1",
			"description": "Paths and documents are those of Flink's REST API; each path answers without /v1 too."},
		"paths": paths,
		"components": object{
			"schemas": d.schemas,
			"securitySchemes": object{
				"owner":  object{"type": "http", "scheme": "bearer", "description": "the cluster's token"},
				"reader": object{"type": "http", "scheme": "basic", "description": "any user name, the cluster's token as password"},
			},
		},
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(doc)
	return b.Bytes(), err
}

func handleOpenAPI(s *Server, w http.ResponseWriter, _ *http.Request) error {
	doc, err := s.description()
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, typeJSON, doc)
	return nil
}

// template is the path in OpenAPI's notation.
func (r Route) template() string { return strings.TrimPrefix(r.pattern(""), r.Method+" ") }

// describer collects the schemas that operations refer to.
type describer struct{ schemas object }

func (d *describer) operation(r Route) object {
	var parameters []object
	for part := range strings.SplitSeq(r.Path, "/") {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, name := range strings.Fields(r.Query) {
		parameters = append(parameters, object{"name": name, "in": "query", "schema": object{"type": "string"}})
	}
	key := r.Method + " " + r.Path
	responses := object{"default": object{"description": "not done, and why", "content": d.content("application/json", ErrorBody{})}}
	switch a := answers[key].(type) {
	case noAnswer:
	case textAnswer:
		responses["200"] = object{"description": r.Doc, "content": object{"text/plain": object{"schema": object{"type": "string"}}}}
	case messageAnswer:
		schema := object{"schema": object{"type": "object", "description": "message " + string(a) + " of rest/restpb/rest.proto"}}
		responses[r.success()] = object{"description": r.Doc, "content": object{"application/json": schema, typeProtobuf: schema}}
	default:
		responses[r.success()] = object{"description": r.Doc, "content": d.content("application/json", a)}
	}
	op := object{"summary": r.Doc, "responses": responses, "security": []object{{"owner": []string{}}, {"reader": []string{}}}}
	if r.Access == AccessOwner {
		op["security"] = []object{{"owner": []string{}}}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if body, ok := bodies[key]; ok {
		content := object{}
		for kind, v := range body {
			content[kind] = d.content(kind, v)[kind]
		}
		op["requestBody"] = object{"content": content}
	}
	return op
}

// success is the status of an answer that is no error.
func (r Route) success() string {
	switch r.Method + " " + r.Path {
	case "PATCH /jobs/:jobid", "GET /jobs/:jobid/yarn-cancel", "POST /weft/jobs":
		return "202"
	}
	return "200"
}

func (d *describer) content(kind string, v any) object {
	return object{kind: object{"schema": d.schema(reflect.TypeOf(v))}}
}

// schema describes a type; structs with a name become components.
func (d *describer) schema(t reflect.Type) any {
	switch t {
	case reflect.TypeFor[Double]():
		return object{"type": []string{"number", "string"}, "description": "NaN and infinities are texts"}
	case reflect.TypeFor[anyAnswer](), reflect.TypeFor[messageAnswer]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []any{d.schema(t.Elem()), object{"type": "null"}}}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "format": "binary"}
		}
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.structure(t)
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return object{"type": "integer", "format": "int64"}
	}
	return object{}
}

func (d *describer) structure(t reflect.Type) any {
	if t.Name() == "" {
		return object{"type": "object"}
	}
	ref := object{"$ref": "#/components/schemas/" + t.Name()}
	if d.schemas[t.Name()] != nil {
		return ref
	}
	properties, required := object{}, []string{}
	d.schemas[t.Name()] = object{}
	d.fields(t, properties, &required)
	schema := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		schema["required"] = required
	}
	d.schemas[t.Name()] = schema
	return ref
}

// fields adds the fields of a struct as encoding/json writes them.
func (d *describer) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			d.fields(f.Type, properties, required)
			continue
		case !f.IsExported() || name == "-" || name == "":
			continue
		}
		properties[name] = d.schema(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}
