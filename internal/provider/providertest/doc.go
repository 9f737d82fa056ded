// Package providertest is for the tests of providers: one suite that every wire
// must pass, and the replay of recorded vendor traffic.
//
// Recordings are YAML files in go-vcr's form, kept outside of the module: in
// the folder that MIX_RECORDINGS names, or in ../shared/recordings next to the
// module. Tests that need them are skipped where there are none.
package providertest
