// SPDX-License-Identifier: Apache-2.0

package match

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// A Response is an expression that interprets the response to a request. It has the
// limits of a filter: no loops, and a cost that is limited by its length and the
// response. It is not safe for concurrent use.
type Response struct{ x *expression }

// The results that a Response may return instead of true and false.
const (
	ResponseTaken     = "taken"
	ResponseRetry     = "retry"
	ResponsePermanent = "permanent"
)

var responseResults = []string{ResponseTaken, ResponseRetry, ResponsePermanent}

// reply contains the fields that the expression can use.
type reply struct {
	Status  int               `expr:"status"`
	Headers map[string]string `expr:"headers"` // by names in lower case
	Body    string            `expr:"body"`
	JSON    any               `expr:"json"` // nil if the body is not JSON
}

// CompileResponse checks and compiles the text. An error contains the column.
func CompileResponse(text string) (r *Response, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the expression cannot be compiled: %v", cause)
		}
		if err != nil {
			r, err = nil, explained(text, responseNames(), err)
		}
	}()
	if len(text) > maxText {
		return nil, fmt.Errorf("is longer than %d bytes", maxText)
	}
	d := &dialect{
		compiler: NewCompiler(Vocabulary{}), names: responseNames(), allowNil: true,
		used: make(map[string]bool), constant: make(map[ast.Node]bool),
	}
	p, err := expr.Compile(text, expr.Env(reply{}), expr.Patch(d), expr.MaxNodes(maxNodes))
	if faults := d.faults(); len(faults) > 0 {
		return nil, faults[0].Bind(file.NewSource(text))
	}
	if err != nil {
		return nil, err
	}
	if err := checkResult(p.Node()); err != nil {
		return nil, err
	}
	return &Response{&expression{key: "response", evaluate: evaluatorsOf(p)(), used: d.used}}, nil
}

// checkResult rejects a result that is neither a condition nor one of responseResults.
func checkResult(n ast.Node) error {
	switch n := n.(type) {
	case *ast.ConditionalNode:
		return errors.Join(checkResult(n.Exp1), checkResult(n.Exp2))
	case *ast.StringNode:
		if !slices.Contains(responseResults, n.Value) {
			return invalidResult(n.Value)
		}
		return nil
	}
	if of := n.Type(); of != nil && of.Kind() != reflect.Bool && of.Kind() != reflect.String && of.Kind() != reflect.Interface {
		return invalidResult(typeName(of.String()))
	}
	return nil
}

func invalidResult(got any) error {
	return fmt.Errorf("returns %v; write a condition such as json.ok == true, or return one of %q", got, responseResults)
}

// Evaluate returns true, false or one of the results. Its errors contain no part of the
// response. The argument cut is true if the body is incomplete.
func (r *Response) Evaluate(status int, header http.Header, body []byte, cut bool) (any, error) {
	env := reply{Status: status}
	if r.x.uses("headers") {
		env.Headers = make(map[string]string, len(header))
		for name, values := range header {
			env.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if r.x.uses("body") {
		env.Body = string(body)
	}
	if r.x.uses("json") {
		if cut {
			return nil, fmt.Errorf("the response is longer than %d bytes, so it cannot be read as JSON", len(body))
		}
		if err := json.Unmarshal(body, &env.JSON); err != nil {
			return nil, errors.New("the response is not JSON")
		}
	}
	value, err := r.x.evaluate(env)
	if err != nil {
		return nil, evaluationError(err)
	}
	if result, ok := value.(string); ok && slices.Contains(responseResults, result) {
		return result, nil
	}
	if holds, ok := value.(bool); ok {
		return holds, nil
	}
	return nil, invalidResult(fmt.Sprintf("a value of the type %T", value))
}

// evaluationError contains the position of err, but not its text, which may contain the
// response.
func evaluationError(err error) error {
	var at *file.Error
	if !errors.As(err, &at) {
		return errors.New("cannot be evaluated for this response")
	}
	return fmt.Errorf("column %d: cannot be evaluated for this response; a field is absent or has another type", at.Column+1)
}
