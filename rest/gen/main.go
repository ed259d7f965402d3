// Command gen is a driver: it writes the OpenAPI description of the REST server to the file that it is given.
package main

import (
	"fmt"
	"os"

	"github.com/weft-project/weft/rest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./rest/gen FILE")
		os.Exit(2)
	}
	doc, err := rest.OpenAPI()
	if err == nil {
		err = os.WriteFile(os.Args[1], doc, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
