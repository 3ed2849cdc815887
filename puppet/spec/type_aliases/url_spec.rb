# frozen_string_literal: true

require 'spec_helper'

describe 'Runit::Url' do
  it { is_expected.to allow_values('http://localhost:8080/health', 'https://example.com/') }
  it { is_expected.not_to allow_values('ftp://localhost', 'http://', "http://a\nb") }
end
