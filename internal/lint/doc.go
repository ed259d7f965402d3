// Package lint is core: the house rules of this repository as functions over parsed source, run by its own tests.
//
// A rule looks at the [Tree] and returns [Finding]s; each says what is wrong, what to use instead, and why. Rules are in
// docs.go (comments), size.go (ratchets), calls.go (forbidden calls), imports.go (directions between packages),
// options.go (configuration without effect) and text.go (what must not be written anywhere). lint_test.go runs them on the repository; rules_test.go proves on small
// samples that each rule finds what it is for.
package lint
