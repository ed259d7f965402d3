// Package id is vocabulary: the distinct identifier types of the engine, so that a job id is never passed for a vertex id.
package id
