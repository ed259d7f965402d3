package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
)

const (
	typeJSON     = "application/json; charset=UTF-8"
	typeProtobuf = "application/x-protobuf"
)

// writeJSON answers 200 with a document. doc is a pointer; nil lists and maps in it are written as empty ones, which
// clients of Flink expect.
func writeJSON(w http.ResponseWriter, doc any) error { return writeJSONStatus(w, http.StatusOK, doc) }

func writeJSONStatus(w http.ResponseWriter, status int, doc any) error {
	fillNil(reflect.ValueOf(doc))
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	// The answers are JSON by their type and nosniff; plans hold <br/> as Flink writes it.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing %T: %w", doc, err)
	}
	writeBody(w, status, typeJSON, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	return nil
}

// writeBody sends an answer in one piece. Its length is told, as YARN's web proxy copies headers and is spared
// Transfer-Encoding that way.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// An error here means that the peer is gone: nobody is left to tell.
	_, _ = w.Write(body)
}

// writeErrors answers with Flink's error body.
func writeErrors(w http.ResponseWriter, status int, messages ...string) {
	body, err := json.Marshal(ErrorBody{Errors: messages})
	if err != nil {
		body = []byte(`{"errors":["internal server error"]}`)
	}
	writeBody(w, status, typeJSON, body)
}

// fillNil replaces nil slices and maps below v by empty ones. Documents are plain trees of structs, slices, maps of
// scalars and pointers.
func fillNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fillNil(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fillNil(f)
			}
		}
	case reflect.Slice:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fillNil(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	}
}
