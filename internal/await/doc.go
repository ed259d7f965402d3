// Package await is a driver: tests wait with it for what other goroutines and processes bring about.
package await
