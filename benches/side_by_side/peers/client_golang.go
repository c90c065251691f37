// Serves a page's series from a registry of client_golang: `client_golang ADDRESS PAGE`.
// Histograms are registered as the series they are made of.
package main

import (
	"bufio"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	registry := prometheus.NewRegistry()
	if err := load(registry, os.Args[2]); err != nil {
		log.Fatal(err)
	}
	options := promhttp.HandlerOpts{EnableOpenMetrics: true}
	http.Handle("/metrics", promhttp.HandlerFor(registry, options))
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

// load registers every series of the page with its value.
func load(registry *prometheus.Registry, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	families := map[string]*prometheus.GaugeVec{}
	help := ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "# HELP ") {
			help = strings.SplitN(line, " ", 4)[3]
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[end+1:], 64)
		if err != nil {
			return err
		}
		name, names, values := labels(line[:end])
		family, known := families[name]
		if !known {
			family = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, names)
			if err := registry.Register(family); err != nil {
				return err
			}
			families[name] = family
		}
		gauge, err := family.GetMetricWithLabelValues(values...)
		if err != nil {
			return err
		}
		gauge.Set(value)
	}
	return lines.Err()
}

// labels splits a series. What the exporter writes is never escaped here, and has no spaces between labels.
func labels(series string) (name string, names, values []string) {
	open := strings.IndexByte(series, '{')
	if open < 0 {
		return series, nil, nil
	}
	for _, label := range strings.Split(strings.TrimSuffix(series[open+1:], "\"}"), "\",") {
		pair := strings.SplitN(label, "=\"", 2)
		names, values = append(names, strings.Clone(pair[0])), append(values, strings.Clone(pair[1]))
	}
	return series[:open], names, values
}
